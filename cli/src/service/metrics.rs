//! Metrics of a running service, from the path that the setting `metrics.path` names.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use zerver_replay::ServiceMetrics;

use crate::args::host_and_port;
use crate::error::CommandError;

/// Path of the metrics unless the service sets another.
pub(crate) const DEFAULT_PATH: &str = "/metrics";
/// Maximum time for the connection and for each read. A healthy service answers at once.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum length of the response, in bytes.
const MAX_LEN: u64 = 16 << 20;

/// Fetches the metrics of the service at an address, which may start with `http://`.
pub(crate) fn fetch(addr: &str, path: &str) -> Result<ServiceMetrics, CommandError> {
    let addr = host_and_port(addr);
    let failed = || CommandError::new(format!("cannot fetch the metrics of {addr}"));
    let response = get(addr, path).map_err(|error| {
        failed().caused_by(&error).with_hint("is the service running? set its address with --addr HOST:PORT")
    })?;
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        let cause = match status {
            "" => format!("the response to {path} is not HTTP"),
            status => format!("the response to {path} is {status}"),
        };
        return Err(failed().with_cause(cause).with_hint(
            "the setting metrics.path is their path; they are served to local clients only, and not through a proxy, by \
             programs with the Cargo feature metrics",
        ));
    }
    serde_json::from_str(body).map_err(|error| failed().caused_by(&error))
}

/// Sends a GET and returns the whole response. The service closes the connection.
fn get(addr: &str, path: &str) -> std::io::Result<String> {
    let none = || std::io::Error::other("the name has no address");
    let to = addr.to_socket_addrs()?.next().ok_or_else(none)?;
    // The service knows this machine by its loopback address, not by a name.
    let host = if to.ip().is_loopback() { to.to_string() } else { addr.to_owned() };
    let mut socket = TcpStream::connect_timeout(&to, TIMEOUT)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\nconnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes())?;
    let mut response = Vec::new();
    socket.take(MAX_LEN).read_to_end(&mut response)?;
    Ok(String::from_utf8_lossy(&response).into_owned())
}
