//! The span of a request, of kind `SERVER`.

use zerver_analysis::Timeline;
use zerver_trace::{Event, Outcome, RecordedBody, SpanId, Trace};

use super::request_headers::header_text;
use super::request_headers::visible_text;
use super::span_context::{IS_REMOTE, SpanContext};
use super::url_parts::host_and_port;
use crate::otlp::{Attributes, Span, SpanEvent, SpanKind, Status, StatusCode};

/// Methods that the conventions know. Others are `_OTHER`, because a client can send any number of them.
const KNOWN_METHODS: [&str; 10] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "QUERY"];

pub(super) fn request_span(context: &SpanContext<'_>, timeline: &Timeline) -> Span {
    let trace = context.trace;
    let mut span = context.span(SpanId::of_request(trace.id), 0, trace.duration_ns);
    if let Some(parent) = context.parent {
        span.parent_span_id = parent.span_id.as_u64();
        span.flags |= IS_REMOTE;
    }
    span.kind = SpanKind::Server;
    span.name = name(trace);
    span.status = status(trace, timeline);
    span.events = events(context, timeline);
    add_message(trace, &mut span.attributes);
    if span.status.code == StatusCode::Error {
        span.attributes.add("error.type", error_type(trace));
    }
    add_own(trace, timeline, &mut span.attributes);
    span
}

/// Returns the method and the route, or only the method if there is no route.
fn name(trace: &Trace) -> String {
    let (method, _) = known_method(&trace.method);
    let method = if method == "_OTHER" { "HTTP" } else { method };
    if trace.flow.pattern.is_empty() { method.to_owned() } else { format!("{method} {}", trace.flow.pattern) }
}

/// Returns the method as the conventions name it, and the original one if it differs.
pub(super) fn known_method(method: &str) -> (&str, Option<&str>) {
    match KNOWN_METHODS.contains(&method) {
        true => (method, None),
        false => ("_OTHER", Some(method)),
    }
}

/// Returns an error for failures of the service only: a status of 4xx is an error of the client.
fn status(trace: &Trace, timeline: &Timeline) -> Status {
    let is_error = match &trace.outcome {
        Outcome::Panicked { .. } | Outcome::TimedOut { .. } => true,
        Outcome::ClientLeft { .. } => false,
        Outcome::Done | Outcome::Failed(_) | Outcome::Rejected { .. } => trace.status >= 500,
    };
    if !is_error {
        return Status::default();
    }
    let message = timeline.failure.as_ref().map(ToString::to_string).unwrap_or_default();
    Status { code: StatusCode::Error, message }
}

fn error_type(trace: &Trace) -> String {
    match &trace.outcome {
        Outcome::Failed(failure) => failure.kind.as_str().to_owned(),
        Outcome::Panicked { .. } => "panic".to_owned(),
        Outcome::TimedOut { .. } => "timeout".to_owned(),
        Outcome::Done | Outcome::ClientLeft { .. } | Outcome::Rejected { .. } => trace.status.to_string(),
    }
}

/// Adds what the request and the response say.
fn add_message(trace: &Trace, attributes: &mut Attributes) {
    let (method, original) = known_method(&trace.method);
    attributes.add("http.request.method", method);
    attributes.add_some("http.request.method_original", original);
    attributes.add_text("http.route", trace.flow.pattern.as_str());
    attributes.add("url.path", trace.path.as_str());
    let target = visible_text(&trace.target).unwrap_or_default();
    attributes.add_text("url.query", target.split_once('?').map_or("", |(_, query)| query));
    let origin = trace.origin.visible();
    let scheme = origin.as_ref().map_or("", |(scheme, _)| scheme);
    attributes.add("url.scheme", if scheme.is_empty() { "http" } else { scheme });
    let authority = origin.map(|(_, authority)| authority).or_else(|| header_text(trace, "host"));
    if let Some(authority) = authority.filter(|authority| !authority.is_empty()) {
        let (host, port) = host_and_port(&authority);
        attributes.add("server.address", host);
        attributes.add_some("server.port", port);
    }
    let (peer, port) = host_and_port(&trace.peer);
    attributes.add_text("network.peer.address", peer);
    attributes.add_some("network.peer.port", port);
    if let Some(version) = trace.version.strip_prefix("HTTP/") {
        attributes.add("network.protocol.version", version.strip_suffix(".0").unwrap_or(version));
    }
    attributes.add_text("user_agent.original", header_text(trace, "user-agent").unwrap_or_default());
    attributes.add_some("http.response.status_code", (trace.status > 0).then_some(trace.status));
    attributes.add_some("http.request.body.size", body_size(&trace.request_body));
    attributes.add_some("http.response.body.size", body_size(&trace.response_body));
}

fn body_size(body: &RecordedBody) -> Option<u64> {
    (body.full_len > 0).then_some(body.full_len)
}

/// Adds what only zerver knows.
fn add_own(trace: &Trace, timeline: &Timeline, attributes: &mut Attributes) {
    let totals = &timeline.totals;
    attributes.add("zerver.request_id", trace.id.to_string());
    attributes.add_text("zerver.flow", trace.flow.name.as_str());
    attributes.add_text("zerver.build", trace.build.as_str());
    attributes.add("zerver.class", trace.class.as_str());
    attributes.add("zerver.outcome", trace.outcome.as_str());
    attributes.add_some("zerver.worker", trace.worker);
    // Other tracers do not know these times.
    if trace.has_steps() {
        attributes.add("zerver.queue_ns", totals.queue_ns);
        attributes.add("zerver.cpu_ns", totals.cpu_ns);
        attributes.add("zerver.wait_ns", totals.wait_ns);
    }
    attributes.add_some("zerver.dropped_events", (trace.events_dropped > 0).then_some(trace.events_dropped));
    attributes.add_some("zerver.undelivered", trace.is_undelivered.then_some(true));
}

fn events(context: &SpanContext<'_>, timeline: &Timeline) -> Vec<SpanEvent> {
    let trace = context.trace;
    let mut events = Vec::new();
    let received = timeline.received_ns.filter(|_| trace.request_body.full_len > 0);
    events.extend(received.map(|at_ns| context.event(at_ns, "zerver.body_received")));
    for change in &timeline.reclassifications {
        let mut event = context.event(change.at_ns, "zerver.reclassified");
        event.attributes.add("zerver.class", change.to.as_str());
        event.attributes.add("zerver.reason", change.reason.as_str());
        events.push(event);
    }
    for migration in &timeline.migrations {
        let mut event = context.event(migration.at_ns, "zerver.migrated");
        event.attributes.add("zerver.thread", migration.to.to_string());
        events.push(event);
    }
    if let Outcome::Panicked { message, .. } = &trace.outcome {
        let place = trace.events.iter().rev().find_map(|event| match event {
            Event::StepPanicked { at_ns, file, line, column, .. } => {
                Some((*at_ns, format!("{file}:{line}:{column}")))
            }
            _ => None,
        });
        let (at_ns, place) = place.unwrap_or((trace.duration_ns, String::new()));
        let mut event = context.event(at_ns, "exception");
        event.attributes.add("exception.type", "panic");
        event.attributes.add_text("exception.message", message.as_str());
        event.attributes.add_text("exception.stacktrace", place);
        events.push(event);
    }
    events.sort_by_key(|event| event.unix_ns);
    events
}
