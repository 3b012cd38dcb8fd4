//! Metrics of a running service, from the path that the setting `metrics.path` names.

use std::time::Duration;

use zerver_replay::ServiceMetrics;

use super::http_get::{Get, Reply};
use crate::args::host_and_port;
use crate::error::CommandError;

/// Path of the metrics unless the service sets another.
pub(crate) const DEFAULT_PATH: &str = "/metrics";
/// Maximum time for the connection and for each read. A healthy service answers at once.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum length of the response, in bytes.
const MAX_LEN: u64 = 16 << 20;

/// Fetches the metrics of the service at an address, which may be a URL as a service prints it.
pub(crate) fn fetch(addr: &str, path: &str) -> Result<ServiceMetrics, CommandError> {
    let failed = || CommandError::new(format!("cannot fetch the metrics of {}", host_and_port(addr)));
    let get = Get { path, accept: "application/json", timeout: TIMEOUT, max_len: MAX_LEN };
    let Reply { status, body } = get.send(addr).map_err(|error| {
        failed().caused_by(&error).with_hint(
            "is the service running? set its address with --addr HOST:PORT, or --addr https://HOST:PORT if it uses TLS",
        )
    })?;
    if status != "200" {
        let cause = match &*status {
            "" => format!("the response to {path} is not HTTP"),
            status => format!("the response to {path} is {status}"),
        };
        return Err(failed().with_cause(cause).with_hint(
            "the setting metrics.path is their path; they are served to local clients only, and not through a proxy, by \
             programs with the Cargo feature metrics",
        ));
    }
    serde_json::from_str(&body).map_err(|error| failed().caused_by(&error))
}
