//! The socket of the web UI.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use zerver_web::{Services, WebOptions, WebServer};

use crate::error::CommandError;

/// Port that is used if it is free, so that links and bookmarks stay valid.
const USUAL_PORT: u16 = 7377;

/// Binds to an address, or to a port of this machine if none is given. `option` is the option that sets the address.
pub(crate) fn listen(addr: Option<&str>, option: &str) -> Result<TcpListener, CommandError> {
    let bound = match addr {
        Some(addr) => TcpListener::bind(addr),
        None => TcpListener::bind((Ipv4Addr::LOCALHOST, USUAL_PORT))
            .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))),
    };
    bound.map_err(|error| {
        let addr = addr.unwrap_or("127.0.0.1");
        CommandError::new(format!("cannot serve the web UI on {addr}"))
            .caused_by(&error)
            .with_hint(format!("{option} 127.0.0.1:0 picks a free port"))
    })
}

/// Serves the web UI.
pub(crate) fn start(
    listener: TcpListener,
    options: &WebOptions,
    services: Arc<dyn Services>,
) -> Result<WebServer, CommandError> {
    WebServer::start(listener, options, services)
        .map_err(|error| CommandError::new("cannot serve the web UI").caused_by(&error))
}
