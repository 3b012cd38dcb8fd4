//! `zerver resend`: sends a recorded request to a running service once more.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use serde::Serialize;
use zerver_replay::{Edits, RebuiltRequest, Recording, Secrets};
use zerver_trace::text::clean;
use zerver_trace::{Trace, duration};

use crate::args::{Global, Resend, host_and_port};
use crate::error::{CommandError, CommandOutcome};
use crate::locate;
use crate::output::Output;

/// Maximum time for the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum length of the response, in bytes.
const MAX_LEN: u64 = 64 << 20;
/// Stable JSON form. Fields may be added.
#[derive(Serialize)]
struct Document<'a> {
    /// Request that was sent again.
    resent: String,
    /// Id of the new request, if the service gave one.
    id: Option<&'a str>,
    status: u16,
    duration_ns: u64,
}

pub(super) fn run(
    args: &Resend,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let loaded = locate::load_trace(global, &args.id)?;
    let (secrets, sealed) = match loaded.reader.as_ref().map(|reader| reader.open_secrets(&loaded.trace)) {
        Some(Ok(secrets)) => (secrets, None),
        Some(Err(error)) => (Default::default(), Some(error.to_string())),
        None => Default::default(),
    };
    let digits = loaded.digits();
    let recording = Recording { trace: loaded.trace, secrets: Secrets(secrets) };
    let edits = Edits {
        headers: args.request_header.clone(),
        body: args.request_body.clone().map(String::into_bytes),
        ..Edits::default()
    };
    let request = RebuiltRequest::new(&recording, &edits).map_err(CommandError::from)?;
    if !request.missing.is_empty() {
        let error = CommandError::new("parts of the request were not recorded");
        let error = request.missing.iter().fold(error, |error, part| error.with_cause(part.to_string()));
        return Err(match sealed {
            Some(reason) => error.with_hint(format!("cannot decrypt its secrets: {}", clean(&reason))),
            None => error,
        });
    }
    if args.addr.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
        return Err(CommandError::new("requests are not resent over TLS")
            .with_hint("`zerver export --curl` writes the request as a command of curl, which speaks TLS"));
    }
    let addr = host_and_port(&args.addr);
    confirm(args, &recording.trace, &request, addr)?;
    let failed = || CommandError::new(format!("cannot send the request to {addr}"));
    let begun = Instant::now();
    let response = send(&request, addr, args.timeout.ns).map_err(|error| {
        failed().caused_by(&error).with_hint("is the service running? set its address with --addr HOST:PORT")
    })?;
    let took_ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let (status, id) = head(&response).ok_or_else(|| failed().with_cause("the response is not HTTP"))?;
    if output.is_json {
        let resent = recording.trace.id.to_string();
        output.json(&Document { resent, id: id.as_deref(), status, duration_ns: took_ns })?;
        return Ok(CommandOutcome::Success);
    }
    let then = recording.trace.id.short(digits);
    let id = id.map(|id| clean(&id).into_owned());
    output.print(&format!(
        "{status}  {}  {}\n",
        duration::show(took_ns),
        id.as_deref().unwrap_or("the response has no request id")
    ))?;
    if let Some(id) = id {
        output.info(&format!("compare them with `zerver diff {then} {id}`"));
    }
    Ok(CommandOutcome::Success)
}

/// Asks the user, because the service performs the request for real.
fn confirm(args: &Resend, trace: &Trace, request: &RebuiltRequest, addr: &str) -> Result<(), CommandError> {
    if args.yes {
        return Ok(());
    }
    let what = format!("{} {}", request.method, clean(&trace.path));
    let refused = || CommandError::new("the request was not sent");
    if !io::stdin().is_terminal() {
        return Err(refused()
            .with_cause("the service would perform it for real, and there is no terminal to ask on")
            .with_hint("pass --yes"));
    }
    let mut stderr = io::stderr().lock();
    let len = request.body.len();
    write!(stderr, "Send {what} with {len} bytes to {}, which performs it for real? [y/N] ", clean(addr))?;
    stderr.flush()?;
    let mut line = String::new();
    io::stdin().lock().take(64).read_line(&mut line)?;
    match line.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(refused()),
    }
}

/// Sends the request to the byte, over HTTP/1.1, and returns the response.
fn send(request: &RebuiltRequest, addr: &str, timeout_ns: u64) -> io::Result<Vec<u8>> {
    let none = || io::Error::other("the name has no address");
    let to = addr.to_socket_addrs()?.next().ok_or_else(none)?;
    let mut socket = TcpStream::connect_timeout(&to, CONNECT_TIMEOUT)?;
    let timeout = Some(Duration::from_nanos(timeout_ns.max(1)));
    socket.set_read_timeout(timeout)?;
    socket.set_write_timeout(timeout)?;
    socket.write_all(&message(request, addr))?;
    let mut response = Vec::new();
    socket.take(MAX_LEN).read_to_end(&mut response)?;
    Ok(response)
}

fn message(request: &RebuiltRequest, addr: &str) -> Vec<u8> {
    let host = request.host().unwrap_or(addr);
    let mut bytes =
        format!("{} {} HTTP/1.1\r\nhost: {host}", request.method, request.sent_target()).into_bytes();
    bytes.extend_from_slice(b"\r\n");
    for (name, value) in request.sent_headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    if !request.body.is_empty() || request.headers.contains_key("content-length") {
        bytes.extend_from_slice(format!("content-length: {}\r\n", request.body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"connection: close\r\n\r\n");
    bytes.extend_from_slice(&request.body);
    bytes
}

/// Returns the status and the request id of a response.
fn head(response: &[u8]) -> Option<(u16, Option<String>)> {
    let text = String::from_utf8_lossy(response);
    let head = text.split("\r\n\r\n").next()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let id = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("x-request-id").then(|| value.trim().to_owned())
    });
    Some((status, id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerver_testkit::sample;

    #[test]
    fn the_request_is_sent_as_it_was_recorded() {
        let recording = Recording { trace: sample::slow(), secrets: Secrets::default() };
        let edits = Edits {
            headers: vec![
                ("authorization".to_owned(), "Bearer x".to_owned()),
                ("connection".to_owned(), "upgrade".to_owned()),
            ],
            body: Some(b"{}".to_vec()),
            ..Edits::default()
        };
        let request = RebuiltRequest::new(&recording, &edits).unwrap();
        let text = String::from_utf8(message(&request, "127.0.0.1:3000")).unwrap();
        assert!(text.starts_with("GET /v1/todos/456?full=1 HTTP/1.1\r\nhost: localhost:3000\r\n"), "{text}");
        assert!(text.contains("\r\nauthorization: Bearer x\r\n"), "{text}");
        assert!(text.ends_with("\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"), "{text}");
        assert!(!text.contains("upgrade"), "{text}");
    }

    #[test]
    fn the_head_of_a_response_is_read() {
        let response = b"HTTP/1.1 201 Created\r\nX-Request-Id: 019a\r\n\r\nbody";
        assert_eq!(head(response), Some((201, Some("019a".to_owned()))));
        assert_eq!(head(b"HTTP/1.1 204 \r\n\r\n"), Some((204, None)));
        for not_http in [&b""[..], b"SSH-2.0\r\n", b"HTTP/1.1", b"HTTP/1.1 x\r\n"] {
            assert_eq!(head(not_http), None);
        }
    }
}
