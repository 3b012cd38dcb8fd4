//! The socket that the service listens on: ours, so that it stays while the service is replaced.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use crate::error::Trouble;

/// How many ports after a taken one are tried for a suggestion.
const TRIED: u16 = 50;

/// Binds and listens, so that a client connects from now on and waits for the service.
pub(super) fn listen(addr: &str) -> Result<(TcpListener, SocketAddr), Trouble> {
    let addrs: Vec<SocketAddr> = addr
        .to_socket_addrs()
        .map_err(|error| {
            Trouble::new(format!("{addr} is no address to listen on"))
                .because(&error)
                .hint("write one like 127.0.0.1:3000; port 0 means any that is free")
        })?
        .collect();
    let listener = TcpListener::bind(addrs.as_slice()).map_err(|error| cannot_bind(addr, &addrs, &error))?;
    let local =
        listener.local_addr().map_err(|error| Trouble::new("cannot tell our address").because(&error))?;
    Ok((listener, local))
}

fn cannot_bind(addr: &str, addrs: &[SocketAddr], error: &io::Error) -> Trouble {
    let Some(first) = addrs.first() else { return Trouble::new(format!("{addr} is no address")) };
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let trouble =
                Trouble::new(format!("port {} of {} is in use", first.port(), first.ip())).because(error);
            match free_port(*first) {
                Some(port) => {
                    trouble.hint(format!("this one is free: --addr {}", SocketAddr::new(first.ip(), port)))
                }
                None => trouble,
            }
        }
        io::ErrorKind::PermissionDenied if first.port() < 1024 => {
            Trouble::new(format!("cannot listen on {addr}"))
                .because(error)
                .hint("ports below 1024 need a privilege; choose a higher one, such as 3000")
        }
        io::ErrorKind::AddrNotAvailable => Trouble::new(format!("cannot listen on {addr}"))
            .because(error)
            .hint(format!("{} is not an address of this machine; 127.0.0.1 always is", first.ip())),
        _ => Trouble::new(format!("cannot listen on {addr}")).because(error),
    }
}

/// The next port that is free just now.
fn free_port(taken: SocketAddr) -> Option<u16> {
    let next = (1..=TRIED).filter_map(|more| taken.port().checked_add(more));
    next.chain([0]).find_map(|port| {
        let listener = TcpListener::bind(SocketAddr::new(taken.ip(), port)).ok()?;
        listener.local_addr().ok().map(|addr| addr.port())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_named_and_another_suggested() {
        let (_held, addr) = listen("127.0.0.1:0").unwrap();
        let trouble = listen(&addr.to_string()).unwrap_err();
        assert_eq!(trouble.what, format!("port {} of 127.0.0.1 is in use", addr.port()));
        let suggested = trouble.hints[0].rsplit(' ').next().unwrap();
        assert!(listen(suggested).is_ok(), "{suggested}");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for addr in ["", "3000", "localhost", "127.0.0.1:99999", "127.0.0.1:"] {
            assert!(listen(addr).unwrap_err().hints[0].contains("127.0.0.1:3000"), "{addr}");
        }
    }
}
