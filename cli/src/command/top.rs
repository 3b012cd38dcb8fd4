//! `zerver top`: what a running service measures, again and again.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use zerver_replay::ServiceMetrics;

use crate::args::{Global, Top, host_and_port};
use crate::output::Output;
use crate::trouble::{Done, Trouble};
use crate::view;

/// How often it is drawn anew, and over how long rates are taken.
const EVERY: Duration = Duration::from_secs(1);
/// A service that is well answers at once.
const PATIENCE: Duration = Duration::from_secs(5);
/// No answer is longer, in bytes.
const MAX_LEN: u64 = 16 << 20;

pub(super) fn run(args: &Top, _: &Global, output: &mut Output) -> Result<Done, Trouble> {
    if args.once || output.is_json || !output.is_terminal() {
        let now = ask(args)?;
        if output.is_json {
            output.json(&now)?;
        } else {
            output.print(&view::top::measures(&now, &ServiceMetrics::default(), output.columns()))?;
        }
        return Ok(Done::Fine);
    }
    let mut before = ServiceMetrics::default();
    let mut last: Option<String> = None;
    loop {
        let shown = match (ask(args), &last) {
            (Ok(now), _) => {
                // A service that was started again counts from the beginning.
                let since =
                    if before.uptime_ns < now.uptime_ns { &before } else { &ServiceMetrics::default() };
                let shown = view::top::measures(&now, since, output.columns());
                (before, last) = (now, Some(shown.clone()));
                shown
            }
            // It may be on its way back.
            (Err(trouble), Some(last)) => view::top::stale(&trouble.line(), last),
            (Err(trouble), None) => return Err(trouble),
        };
        output.screen(&shown)?;
        thread::sleep(EVERY);
    }
}

/// Asks for all that is measured.
fn ask(args: &Top) -> Result<ServiceMetrics, Trouble> {
    let (addr, path) = (host_and_port(&args.addr), &args.path);
    let trouble = || Trouble::new(format!("cannot ask {addr} for its metrics"));
    let answer = fetch(addr, path).map_err(|error| {
        trouble().because(&error).hint("is the service running? name its address with --addr HOST:PORT")
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        let mut trouble = trouble();
        trouble
            .causes
            .push(format!("{path} answers with {}", if status.is_empty() { "no HTTP" } else { status }));
        return Err(trouble.hint(
            "metrics.path says where they are; only its own machine is told, and not through a proxy",
        ));
    }
    serde_json::from_str(body).map_err(|error| trouble().because(&error))
}

/// The whole answer to a GET, of which the service closes the connection.
fn fetch(addr: &str, path: &str) -> std::io::Result<String> {
    let none = || std::io::Error::other("there is no such address");
    let to = addr.to_socket_addrs()?.next().ok_or_else(none)?;
    // By a name of its own the service does not know this machine.
    let host = if to.ip().is_loopback() { to.to_string() } else { addr.to_owned() };
    let mut socket = TcpStream::connect_timeout(&to, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\nconnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    socket.take(MAX_LEN).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
