//! The status of a running service, from `/.zerver/status`, which answers local clients.

use std::time::Duration;

use serde_json::Value as Json;
use zerver_trace::text::clean;
use zerver_tui::{RunningStep, SchedulerStatus, WorkerStatus};

use crate::args::host_and_port;
use crate::service::http_get::Get;

/// Maximum time for the connection and for each read.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum length of the response, in bytes.
const MAX_LEN: u64 = 1 << 20;
/// Maximum number of workers shown.
const MAX_WORKERS: usize = 64;

/// Maximum number of open circuit breakers shown.
const MAX_BREAKERS: usize = 16;

/// Fetches the status of the service at an address, which may be a URL as a service prints it.
pub(super) fn fetch(addr: &str) -> Result<SchedulerStatus, String> {
    let get = Get { path: "/.zerver/status", accept: "*/*", timeout: TIMEOUT, max_len: MAX_LEN };
    let reply = get.send(addr);
    let addr = host_and_port(addr);
    let reply = reply.map_err(|error| format!("cannot connect to {}: {error}", clean(addr)))?;
    let status: Json = serde_json::from_str(&reply.body)
        .ok()
        .ok_or_else(|| format!("{} does not report its status; are health checks disabled?", clean(addr)))?;
    if status["workers"].is_null() {
        return Err(format!(
            "{} does not report its workers: is it a zerver service, reached without a proxy?",
            clean(addr)
        ));
    }
    Ok(health(&status))
}

fn health(status: &Json) -> SchedulerStatus {
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    let number = |json: &Json| json.as_u64().unwrap_or(0);
    let running = |json: &Json| {
        json.as_object().map(|_| RunningStep {
            flow: text(&json["flow"]),
            step: text(&json["step"]),
            request: text(&json["request"]),
            running_ns: number(&json["for_ns"]),
        })
    };
    let worker = |json: &Json| WorkerStatus {
        name: text(&json["name"]),
        is_stuck: json["stuck"].as_bool().unwrap_or(false),
        busy_ns: json["busy_ns"].as_u64(),
        running: running(&json["running"]),
    };
    let breaker = |json: &Json| (text(&json["target"]), text(&json["breaker"]));
    let classes = ["interactive", "default", "batch"];
    SchedulerStatus {
        status: text(&status["status"]),
        uptime_ns: status["uptime_ns"].as_u64(),
        workers: status["workers"].as_array().into_iter().flatten().take(MAX_WORKERS).map(worker).collect(),
        queue_lengths: classes.map(|class| status["waiting"][class].as_u64()),
        shed: classes.map(|class| number(&status["shed"][class])),
        reclassified: number(&status["reclassified"]),
        overruns: number(&status["overruns"]),
        breakers: status["breakers"]
            .as_array()
            .into_iter()
            .flatten()
            .take(MAX_BREAKERS)
            .map(breaker)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missing_fields_are_not_made_up() {
        assert_eq!(health(&json!({ "workers": 1, "shed": [] })), SchedulerStatus::default());
        let shown = health(&json!({
            "status": "degraded",
            "workers": [
                { "name": "worker 0", "stuck": true, "busy_ns": 9, "running":
                    { "flow": "todos", "step": "render", "request": "0-1", "for_ns": 7 } },
                { "name": "worker 1", "stuck": false, "running": null },
            ],
            "shed": { "interactive": 1, "default": 2, "batch": 3 },
            "breakers": [{ "target": "a:1", "breaker": "open" }],
            "reclassified": 4, "overruns": 5, "waiting": { "interactive": 0, "batch": 6 },
        }));
        assert_eq!(
            (shown.queue_lengths, shown.shed, shown.reclassified, shown.overruns),
            ([Some(0), None, Some(6)], [1, 2, 3], 4, 5)
        );
        assert_eq!(shown.workers[0].running.as_ref().map(|running| running.running_ns), Some(7));
        assert_eq!(shown.workers.iter().map(|worker| worker.busy_ns).collect::<Vec<_>>(), [Some(9), None]);
        assert_eq!(shown.breakers, [("a:1".to_owned(), "open".to_owned())]);
        assert!(shown.workers[0].is_stuck && shown.workers[1].running.is_none());
    }

    #[test]
    fn an_unreachable_service_is_named() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = fetch(&format!("http://{free}/")).unwrap_err();
        assert!(error.starts_with(&format!("cannot connect to {free}")), "{error}");
    }
}
