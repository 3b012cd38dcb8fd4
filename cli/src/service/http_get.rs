//! A request to a running service, over TLS if its address says so (`https://`).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use ureq::tls::TlsConfig;

use crate::args::host_and_port;

/// A GET of a path.
pub(crate) struct Get<'a> {
    pub(crate) path: &'a str,
    pub(crate) accept: &'a str,
    /// Maximum time for the connection and for each read.
    pub(crate) timeout: Duration,
    /// Maximum length of the response, in bytes.
    pub(crate) max_len: u64,
}

/// A response: its status, or the text in place of one, and its body.
pub(crate) struct Reply {
    pub(crate) status: String,
    pub(crate) body: String,
}

impl Get<'_> {
    /// Sends the request to an address, which may be a URL as a service prints it.
    ///
    /// # Errors
    /// If the service cannot be reached, or its certificate is not valid. That of a service on this machine is not checked, because it
    /// is for another name.
    pub(crate) fn send(&self, addr: &str) -> io::Result<Reply> {
        let is_tls = addr.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https"));
        let host = host_and_port(addr);
        let none = || io::Error::other("the name has no address");
        let to = host.to_socket_addrs()?.next().ok_or_else(none)?;
        match is_tls {
            true => self.send_over_tls(host, to),
            false => self.send_plainly(host, to),
        }
    }

    fn send_plainly(&self, host: &str, to: SocketAddr) -> io::Result<Reply> {
        // The service knows this machine by its loopback address, not by a name.
        let host = if to.ip().is_loopback() { to.to_string() } else { host.to_owned() };
        let mut socket = TcpStream::connect_timeout(&to, self.timeout)?;
        socket.set_read_timeout(Some(self.timeout))?;
        socket.set_write_timeout(Some(self.timeout))?;
        let Self { path, accept, .. } = self;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes())?;
        let mut response = Vec::new();
        socket.take(self.max_len).read_to_end(&mut response)?;
        let response = String::from_utf8_lossy(&response);
        let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
        let status = head.split(' ').nth(1).unwrap_or_default();
        Ok(Reply { status: status.to_owned(), body: body.to_owned() })
    }

    fn send_over_tls(&self, host: &str, to: SocketAddr) -> io::Result<Reply> {
        let is_loopback = to.ip().is_loopback();
        let host = if is_loopback { to.to_string() } else { host.to_owned() };
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .tls_config(TlsConfig::builder().disable_verification(is_loopback).build())
            .timeout_global(Some(self.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build()
            .into();
        let sent = agent.get(format!("https://{host}{}", self.path)).header("accept", self.accept).call();
        let mut response = sent.map_err(io::Error::other)?;
        let body = response.body_mut().with_config().limit(self.max_len).read_to_string();
        let body = body.map_err(io::Error::other)?;
        Ok(Reply { status: response.status().as_u16().to_string(), body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_is_not_there_is_an_error_over_either() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        drop(listener);
        let get = Get { path: "/", accept: "*/*", timeout: Duration::from_secs(5), max_len: 100 };
        assert!(get.send(&format!("https://{addr}")).is_err());
        assert!(get.send(&format!("HTTPS://{addr}")).is_err());
        assert!(get.send(&addr.to_string()).is_err());
    }
}
