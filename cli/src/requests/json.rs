//! A recorded request as JSON, as `ls` and `dev` print it.

use serde::Serialize;
use zerver_analysis::rfc3339;
use zerver_trace::{Class, Summary};

use crate::requests::fleet_nodes::FleetNodes;

/// Stable JSON form of a request in a list. Fields may be added.
#[derive(Serialize)]
pub(crate) struct RequestJson<'a> {
    id: String,
    flow: &'a str,
    method: &'a str,
    path: &'a str,
    status: u16,
    duration_ns: u64,
    class: Class,
    started_at: String,
    outcome: &'a str,
    failed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<u16>,
    /// Node of a fleet that recorded the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    /// Authority in the request target; left out if the target has none.
    #[serde(skip_serializing_if = "str::is_empty")]
    authority: &'a str,
}

impl<'a> RequestJson<'a> {
    pub(crate) fn new(summary: &'a Summary) -> Self {
        Self::of_fleet(summary, None)
    }

    /// Returns a request with its node.
    pub(crate) fn of_fleet(summary: &'a Summary, nodes: Option<&'a FleetNodes>) -> Self {
        Self {
            id: summary.id.to_string(),
            flow: &summary.flow,
            method: &summary.method,
            path: &summary.path,
            status: summary.status,
            duration_ns: summary.duration_ns,
            class: summary.class,
            started_at: rfc3339(summary.started_unix_ns),
            outcome: &summary.outcome,
            failed: summary.is_failed,
            worker: summary.worker,
            node: nodes.and_then(|nodes| nodes.of(summary.id)),
            authority: &summary.authority,
        }
    }
}

/// `{"requests": [...]}`.
#[derive(Serialize)]
pub(crate) struct RequestsJson<'a> {
    requests: Vec<RequestJson<'a>>,
}

/// `{"count": 3}`.
#[derive(Serialize)]
pub(crate) struct CountJson {
    pub(crate) count: u64,
}

impl<'a> RequestsJson<'a> {
    pub(crate) fn new(requests: &'a [Summary]) -> Self {
        Self::of_fleet(requests, None)
    }

    /// Returns requests with their nodes.
    pub(crate) fn of_fleet(requests: &'a [Summary], nodes: Option<&'a FleetNodes>) -> Self {
        Self { requests: requests.iter().map(|request| RequestJson::of_fleet(request, nodes)).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerver_testkit::sample;

    #[test]
    fn the_json_has_the_documented_fields() {
        let summary = sample::failed().summary();
        let requests = [summary];
        let document = RequestsJson::new(&requests);
        insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap(), @r#"
        {
          "requests": [
            {
              "id": "019aa4c2-1f3b-7abc-8def-0123456789ab",
              "flow": "todos-item",
              "method": "GET",
              "path": "/v1/todos/456",
              "status": 404,
              "duration_ns": 900000,
              "class": "interactive",
              "started_at": "2026-11-22T10:43:01.123456789Z",
              "outcome": "failed",
              "failed": true
            }
          ]
        }
        "#);
    }
}
