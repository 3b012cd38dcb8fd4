//! HTTP Archive 1.2, which the network panels of browsers and HTTP tools open: the request as an entry, and its calls to
//! other services as further entries. What was not recorded is -1, as the format prescribes.

use serde_json::{Map, Value, json};
use zerver_analysis::{Attempt, Effect, EffectEnd, Timeline, rfc3339};
use zerver_trace::Trace;

use super::har_messages::{
    call_request, call_response, no_response, recorded_request, recorded_response, request_url,
};

/// Returns traces as one archive, with a page for each request.
pub fn har<'t>(traces: impl IntoIterator<Item = &'t Trace>) -> Value {
    let (mut pages, mut entries) = (Vec::new(), Vec::new());
    for trace in traces {
        let id = trace.id.to_string();
        pages.push(json!({
            "startedDateTime": rfc3339(trace.started_unix_ns),
            "id": id,
            "title": format!("{} {}", trace.method, request_url(trace)),
            "pageTimings": { "onContentLoad": -1, "onLoad": millis(trace.duration_ns) },
        }));
        let timeline = Timeline::of(trace);
        entries.push(entry(
            &id,
            trace.started_unix_ns,
            request_timings(trace, &timeline),
            recorded_request(trace),
            recorded_response(trace),
        ));
        let effects =
            timeline.runs.iter().flat_map(|run| &run.effects).filter(|effect| effect.kind == "http");
        for effect in effects {
            for attempt in &effect.attempts {
                entries.push(call(&id, trace, effect, attempt));
            }
        }
    }
    json!({ "log": {
        "version": "1.2",
        "creator": { "name": "zerver", "version": env!("CARGO_PKG_VERSION") },
        "pages": pages,
        "entries": entries,
    }})
}

/// Parts of the time of an exchange, in nanoseconds. `None` if a part is unknown, and then contained in the next one.
#[derive(Default)]
struct Timings {
    blocked: Option<u64>,
    connect: Option<u64>,
    send: Option<u64>,
    wait: Option<u64>,
    receive: Option<u64>,
}

impl Timings {
    /// Returns the sum, which the format defines as the time of the entry.
    fn total_ns(&self) -> u64 {
        let parts = [self.blocked, self.connect, self.send, self.wait, self.receive];
        parts.into_iter().flatten().fold(0, u64::saturating_add)
    }

    fn json(&self) -> Value {
        let part = |ns: Option<u64>| ns.map_or_else(|| json!(-1), millis);
        json!({
            "blocked": part(self.blocked), "dns": -1, "connect": part(self.connect), "ssl": -1,
            "send": part(self.send), "wait": part(self.wait), "receive": part(self.receive),
        })
    }
}

fn entry(page: &str, unix_ns: u64, timings: Timings, request: Value, response: Value) -> Value {
    json!({
        "pageref": page,
        "startedDateTime": rfc3339(unix_ns),
        "time": millis(timings.total_ns()),
        "request": request,
        "response": response,
        "cache": {},
        "timings": timings.json(),
    })
}

/// Returns the times of a request as its client saw them: the body was sent, then the client waited.
fn request_timings(trace: &Trace, timeline: &Timeline) -> Timings {
    let sent_ns = timeline.received_ns.filter(|_| trace.request_body.full_len > 0);
    let wait_ns = trace.duration_ns.saturating_sub(sent_ns.unwrap_or_default());
    Timings { send: sent_ns, wait: Some(wait_ns), ..Timings::default() }
}

fn call(page: &str, trace: &Trace, effect: &Effect, attempt: &Attempt) -> Value {
    let response = match &attempt.end {
        EffectEnd::Ok { output, .. } => call_response(output),
        end => no_response(&end.to_string()),
    };
    let started = trace.started_unix_ns.saturating_add(attempt.start_ns);
    let mut entry = entry(page, started, call_timings(attempt), call_request(&effect.args), response);
    if let Some(fields) = entry.as_object_mut() {
        add_own(fields, effect, attempt);
    }
    entry
}

/// Adds what only zerver knows. Names of own fields begin with an underscore.
fn add_own(fields: &mut Map<String, Value>, effect: &Effect, attempt: &Attempt) {
    fields.insert(
        "_initiator".into(),
        json!({ "type": "other", "call": attempt.call, "attempt": attempt.number }),
    );
    fields.insert("comment".into(), effect.label().into());
}

/// Returns the parts of a call between the points that its interpreter has reported.
fn call_timings(attempt: &Attempt) -> Timings {
    let at = |name: &str| attempt.points.iter().find(|point| point.point == name).map(|point| point.at_ns);
    let begun_ns = attempt.start_ns.saturating_add(attempt.queued_ns);
    let end_ns = attempt.start_ns.saturating_add(attempt.duration_ns).max(begun_ns);
    let connected_ns = at("connected").map(|at_ns| at_ns.clamp(begun_ns, end_ns));
    let sent_from_ns = connected_ns.unwrap_or(begun_ns);
    let first_byte_ns = at("first byte").map(|at_ns| at_ns.clamp(sent_from_ns, end_ns));
    Timings {
        blocked: attempt.queue_reason.map(|_| attempt.queued_ns),
        connect: connected_ns.map(|at_ns| at_ns - begun_ns),
        send: None,
        wait: Some(first_byte_ns.unwrap_or(end_ns) - sent_from_ns),
        receive: first_byte_ns.map(|at_ns| end_ns - at_ns),
    }
}

/// Returns milliseconds, the unit of the format, as an integer if they are whole.
fn millis(ns: u64) -> Value {
    match ns % 1_000_000 {
        0 => (ns / 1_000_000).into(),
        _ => (ns as f64 / 1e6).into(),
    }
}
