//! `zerver ls`: recorded requests.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use zerver_analysis::rfc3339;
use zerver_trace::text::clean;
use zerver_trace::{Class, Query, Summary};

use crate::args::{Global, Ls};
use crate::output::Output;
use crate::place;
use crate::trouble::{Done, Trouble};
use crate::view::{count, list};

pub(super) fn run(args: &Ls, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let dir = place::store(global)?;
    // One more tells whether there are more.
    let limit = args.limit.0.unwrap_or(usize::MAX);
    let query = args.filter.query(now_unix_ns(), Some(limit.saturating_add(1)));
    let reader = place::reader(&dir)?;
    let mut requests = reader.list(&query).map_err(|error| place::unreadable(&dir, &error))?;
    let is_cut = requests.len() > limit;
    requests.truncate(limit);
    if let Some(dropped) = place::dropped(&reader) {
        output.note(&dropped);
    }
    // The query that has an end has nothing that began later.
    if let Some(end) = query.until_unix_ns {
        let later = Query { since_unix_ns: Some(end), until_unix_ns: None, limit: None, ..query };
        let later = reader.list(&later).map_err(|error| place::unreadable(&dir, &error))?.len() as u64;
        if later > 0 {
            let requests = count(later, "request that begins", "requests that begin");
            output.note(&format!("without {requests} later than now: their clock or this one is wrong"));
        }
    }
    if output.is_json {
        output.json(&Document { requests: requests.iter().map(Request::of).collect() })?;
        return Ok(Done::Fine);
    }
    if requests.is_empty() && !is_cut {
        output.note(&format!("no such requests in {}", place::shown(&dir)));
        if let Some(other) = args.filter.flow.as_deref().and_then(|flow| place::other_flow(&reader, flow)) {
            output.note(&clean(&other));
        }
        return Ok(Done::Fine);
    }
    if requests.is_empty() {
        output.note("there are such requests; -n N shows the newest N, -n all shows all");
        return Ok(Done::Fine);
    }
    let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
    let digits = place::digits(&reader, &ids);
    output.print(&list::table(&requests, digits, now_unix_ns(), output.columns()))?;
    if is_cut {
        output.note(&format!("showing the newest {limit}; -n N shows more, -n all shows all"));
    }
    Ok(Done::Fine)
}

/// The wall clock, in nanoseconds since the Unix epoch.
pub(super) fn now_unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// `{"requests": [..]}`.
#[derive(Serialize)]
struct Document<'a> {
    requests: Vec<Request<'a>>,
}

/// What a list tells of a request.
#[derive(Serialize)]
pub(super) struct Request<'a> {
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
    pub(super) fn of(summary: &'a Summary) -> Self {
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
            authority: &summary.authority,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_document_has_the_promised_fields() {
        let summary = sample::failed().summary();
        let document = Document { requests: vec![Request::of(&summary)] };
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
