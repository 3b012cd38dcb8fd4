//! The status of a running service, which it tells local clients at `/.zerver/status`.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::Value as Json;
use zerver_trace::text::clean;
use zerver_tui::{Health, Running, Worker};

use crate::args::host_and_port;

/// Longer is not waited for it.
const PATIENCE: Duration = Duration::from_secs(1);
/// What it tells is shorter.
const MAX_LEN: u64 = 1 << 20;
/// So many workers are told of.
const MAX_WORKERS: usize = 64;

/// Asks the service at an address, with or without `http://` before it.
pub(super) fn ask(addr: &str) -> Result<Health, String> {
    let addr = host_and_port(addr);
    let answer = get(addr).map_err(|error| format!("{} cannot be asked: {error}", clean(addr)))?;
    let told = answer.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
    let told: Json =
        told.ok_or_else(|| format!("{} does not tell its status; is health checking off?", clean(addr)))?;
    if told["workers"].is_null() {
        return Err(format!(
            "{} does not tell of its workers: is it a zerver service, and asked directly?",
            clean(addr)
        ));
    }
    Ok(of(&told))
}

fn get(addr: &str) -> io::Result<String> {
    let to = addr.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    // By a name of its own the service does not know this machine.
    let host = if to.ip().is_loopback() { to.to_string() } else { addr.to_owned() };
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /.zerver/status HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MAX_LEN).read_to_string(&mut answer)?;
    Ok(answer)
}

fn of(told: &Json) -> Health {
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    let number = |json: &Json| json.as_u64().unwrap_or(0);
    let running = |json: &Json| {
        json.as_object().map(|_| Running {
            flow: text(&json["flow"]),
            step: text(&json["step"]),
            request: text(&json["request"]),
            for_ns: number(&json["for_ns"]),
        })
    };
    let worker = |json: &Json| Worker {
        name: text(&json["name"]),
        is_stuck: json["stuck"].as_bool().unwrap_or(false),
        busy_ns: json["busy_ns"].as_u64(),
        running: running(&json["running"]),
    };
    let classes = ["interactive", "default", "batch"];
    Health {
        status: text(&told["status"]),
        uptime_ns: told["uptime_ns"].as_u64(),
        workers: told["workers"].as_array().into_iter().flatten().take(MAX_WORKERS).map(worker).collect(),
        waiting: classes.map(|class| told["waiting"][class].as_u64()),
        shed: classes.map(|class| number(&told["shed"][class])),
        moved: number(&told["reclassified"]),
        overruns: number(&told["overruns"]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_told_is_not_made_up() {
        assert_eq!(of(&json!({ "workers": 1, "shed": [] })), Health::default());
        let told = of(&json!({
            "status": "degraded",
            "workers": [
                { "name": "worker 0", "stuck": true, "busy_ns": 9, "running":
                    { "flow": "todos", "step": "render", "request": "0-1", "for_ns": 7 } },
                { "name": "worker 1", "stuck": false, "running": null },
            ],
            "shed": { "interactive": 1, "default": 2, "batch": 3 },
            "reclassified": 4, "overruns": 5, "waiting": { "interactive": 0, "batch": 6 },
        }));
        assert_eq!(
            (told.waiting, told.shed, told.moved, told.overruns),
            ([Some(0), None, Some(6)], [1, 2, 3], 4, 5)
        );
        assert_eq!(told.workers[0].running.as_ref().map(|running| running.for_ns), Some(7));
        assert_eq!(told.workers.iter().map(|worker| worker.busy_ns).collect::<Vec<_>>(), [Some(9), None]);
        assert!(told.workers[0].is_stuck && told.workers[1].running.is_none());
    }

    #[test]
    fn who_is_not_there_is_named() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let why = ask(&format!("http://{free}/")).unwrap_err();
        assert!(why.starts_with(&format!("{free} cannot be asked")), "{why}");
    }
}
