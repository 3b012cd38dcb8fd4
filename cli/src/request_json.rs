//! A recorded request as JSON, as `ls` and `dev` print it.

use serde::Serialize;
use zerver_replay::rfc3339;
use zerver_trace::{Class, Summary};

/// What a list tells of a request.
#[derive(Serialize)]
pub(crate) struct Request<'a> {
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
    /// That its target names; left out where it names none.
    #[serde(skip_serializing_if = "str::is_empty")]
    authority: &'a str,
}

impl<'a> Request<'a> {
    pub(crate) fn of(summary: &'a Summary) -> Self {
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
            failed: summary.failed,
            worker: summary.worker,
            authority: &summary.authority,
        }
    }
}
