//! The socket to listen on.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use crate::StartError;

/// How many connections the system holds until they are accepted.
pub(crate) const BACKLOG: i32 = 4096;

/// How many ports to try for a suggestion.
const SUGGESTIONS: u16 = 100;

/// Listens on an address such as `127.0.0.1:3000` or `localhost:3000`.
pub(crate) fn listen(addr: &str) -> Result<TcpListener, StartError> {
    let wrong = || StartError::Address { addr: addr.to_owned() };
    let mut result = Err(wrong());
    for addr in addr.to_socket_addrs().map_err(|_| wrong())? {
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

/// The socket that the environment says was handed over, if it says so (`LISTEN_FDS`, as systemd and `zerver dev` do).
pub(crate) fn inherited() -> Result<Option<TcpListener>, StartError> {
    let mut sockets = listenfd::ListenFd::from_env();
    if sockets.len() == 0 {
        return Ok(None);
    }
    sockets.take_tcp_listener(0).map_err(StartError::Inherited)?.map(prepare).transpose()
}

/// Makes a listener ready to be accepted from.
pub(crate) fn prepare(listener: TcpListener) -> Result<TcpListener, StartError> {
    listener.set_nonblocking(true).map_err(StartError::Inherited)?;
    Ok(listener)
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(addr)?;
    // The backlog of the standard library is short. Listening again only changes it.
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

fn next_free(addr: SocketAddr) -> Option<SocketAddr> {
    let ports = addr.port().checked_add(1)?..=addr.port().saturating_add(SUGGESTIONS);
    ports.map(|port| SocketAddr::new(addr.ip(), port)).find(|&addr| TcpListener::bind(addr).is_ok())
}
