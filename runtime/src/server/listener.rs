//! Creates the socket on which a service listens.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use socket2::SockRef;

use crate::StartError;

/// Maximum number of connections that the system holds until they are accepted.
pub(crate) const BACKLOG: i32 = 4096;

/// Number of ports to try when suggesting a free one.
const PORTS_TO_TRY: u16 = 100;

/// Listens on an address such as `127.0.0.1:3000` or `localhost:3000`.
pub(crate) fn listen(addr: &str) -> Result<TcpListener, StartError> {
    let invalid = || StartError::Address { addr: addr.to_owned() };
    let mut result = Err(invalid());
    for addr in addr.to_socket_addrs().map_err(|_| invalid())? {
        result = bind(addr).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => StartError::InUse { addr, free: next_free(addr) },
            _ => StartError::Listen { addr, error },
        });
        if result.is_ok() {
            break;
        }
    }
    prepare(result?)
}

/// Returns the socket that was inherited, if any. systemd and `zerver dev` pass one, and set `LISTEN_FDS`.
pub(crate) fn inherited() -> Result<Option<TcpListener>, StartError> {
    let mut sockets = listenfd::ListenFd::from_env();
    if sockets.len() == 0 {
        return Ok(None);
    }
    sockets.take_tcp_listener(0).map_err(StartError::Inherited)?.map(prepare).transpose()
}

/// Makes a listener non-blocking, as the acceptor requires.
pub(crate) fn prepare(listener: TcpListener) -> Result<TcpListener, StartError> {
    listener.set_nonblocking(true).map_err(StartError::Inherited)?;
    Ok(listener)
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(addr)?;
    // The standard library uses a short backlog. Listening again changes nothing else.
    SockRef::from(&listener).listen(BACKLOG)?;
    Ok(listener)
}

fn next_free(addr: SocketAddr) -> Option<SocketAddr> {
    let ports = addr.port().checked_add(1)?..=addr.port().saturating_add(PORTS_TO_TRY);
    ports.map(|port| SocketAddr::new(addr.ip(), port)).find(|&addr| TcpListener::bind(addr).is_ok())
}
