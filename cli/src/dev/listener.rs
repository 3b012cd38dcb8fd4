//! The socket that the service listens on. `dev` owns it, so that it stays open while the service is replaced.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use crate::error::CommandError;

/// Number of ports to try for a suggestion.
const MAX_PORTS_TRIED: u16 = 50;

/// Binds and listens. From now on, clients connect and wait for the service.
pub(super) fn listen(addr: &str) -> Result<(TcpListener, SocketAddr), CommandError> {
    let addrs: Vec<SocketAddr> = addr
        .to_socket_addrs()
        .map_err(|error| {
            CommandError::new(format!("not an address to listen on: {addr:?}"))
                .caused_by(&error)
                .with_hint("use HOST:PORT, such as 127.0.0.1:3000; port 0 picks a free one")
        })?
        .collect();
    let listener = TcpListener::bind(addrs.as_slice()).map_err(|error| cannot_bind(addr, &addrs, &error))?;
    let local = listener
        .local_addr()
        .map_err(|error| CommandError::new("cannot read the address of the socket").caused_by(&error))?;
    Ok((listener, local))
}

fn cannot_bind(addr: &str, addrs: &[SocketAddr], error: &io::Error) -> CommandError {
    let Some(first) = addrs.first() else {
        return CommandError::new(format!("not an address to listen on: {addr:?}"));
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let in_use = CommandError::new(format!("port {} of {} is in use", first.port(), first.ip()))
                .caused_by(error);
            match free_port(*first) {
                Some(port) => {
                    in_use.with_hint(format!("a free one: --addr {}", SocketAddr::new(first.ip(), port)))
                }
                None => in_use,
            }
        }
        io::ErrorKind::PermissionDenied if first.port() < 1024 => {
            CommandError::new(format!("cannot listen on {addr}"))
                .caused_by(error)
                .with_hint("ports below 1024 need privileges; choose a higher one, such as 3000")
        }
        io::ErrorKind::AddrNotAvailable => CommandError::new(format!("cannot listen on {addr}"))
            .caused_by(error)
            .with_hint(format!("{} is not an address of this machine; 127.0.0.1 is", first.ip())),
        _ => CommandError::new(format!("cannot listen on {addr}")).caused_by(error),
    }
}

/// Returns the next free port.
fn free_port(taken: SocketAddr) -> Option<u16> {
    let next = (1..=MAX_PORTS_TRIED).filter_map(|more| taken.port().checked_add(more));
    next.chain([0]).find_map(|port| {
        let listener = TcpListener::bind(SocketAddr::new(taken.ip(), port)).ok()?;
        listener.local_addr().ok().map(|addr| addr.port())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_reported_and_another_suggested() {
        let (_held, addr) = listen("127.0.0.1:0").unwrap();
        let error = listen(&addr.to_string()).unwrap_err();
        assert_eq!(error.message, format!("port {} of 127.0.0.1 is in use", addr.port()));
        let suggested = error.hints[0].rsplit(' ').next().unwrap();
        assert!(listen(suggested).is_ok(), "{suggested}");
    }

    #[test]
    fn an_invalid_address_is_rejected() {
        for addr in ["", "3000", "localhost", "127.0.0.1:99999", "127.0.0.1:"] {
            assert!(listen(addr).unwrap_err().hints[0].contains("127.0.0.1:3000"), "{addr}");
        }
    }
}
