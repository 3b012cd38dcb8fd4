//! The span of an attempt of an effect: of kind `CLIENT` for calls to other systems, and `INTERNAL` for others.

use zerver_analysis::{Attempt, Effect, EffectEnd};
use zerver_trace::{QueueReason, SpanId};

use super::http_call::HttpCall;
use super::span_context::{ExportOptions, SpanContext};
use super::{imported_span, sql_call};
use crate::otlp::{Span, SpanEvent, SpanKind, Status, StatusCode};

pub(super) fn effect_span(
    context: &SpanContext<'_>,
    effect: &Effect,
    attempt: &Attempt,
    parent: u64,
    options: &ExportOptions,
) -> Span {
    let id = SpanId::of_call(context.trace.id, attempt.call);
    let end_ns = attempt.start_ns.saturating_add(attempt.duration_ns);
    let mut span = context.span(id, attempt.start_ns, end_ns);
    span.parent_span_id = parent;
    span.name.clone_from(&effect.kind);
    span.kind = SpanKind::Internal;
    span.attributes.add("zerver.effect.kind", effect.kind.as_str());
    span.attributes.add_text("zerver.effect.summary", effect.summary.as_str());
    span.attributes.add("zerver.call", attempt.call);
    match effect.kind.as_str() {
        "http" => HttpCall::of(effect, attempt).describe(attempt, &mut span),
        "sql" => sql_call::describe(effect, attempt, options, &mut span),
        "redis" => {
            span.kind = SpanKind::Client;
            span.attributes.add("db.system.name", "redis");
        }
        "s3" | "mail" => span.kind = SpanKind::Client,
        _ => {}
    }
    if attempt.number > 1 && effect.kind != "http" {
        span.attributes.add("zerver.attempt", attempt.number);
    }
    let by_target = attempt.queue_reason == Some(QueueReason::Target);
    span.attributes.add_some("zerver.pool_wait_ns", pool_wait_ns(effect, attempt));
    span.attributes.add_some("zerver.target_wait_ns", by_target.then_some(attempt.queued_ns));
    span.attributes.add_some("zerver.retry_delay_ns", some_time(attempt.retry_delay_ns));
    span.attributes.add_some("zerver.undoes", effect.undoes.as_deref());
    if let Some(plan) = &attempt.plan {
        span.attributes.add("zerver.sql.plan", plan.text.as_str());
        span.attributes.add("zerver.sql.plan_hash", plan.hash.as_str());
    }
    end(&attempt.end, &mut span);
    if !context.trace.has_steps() {
        imported_span::restore(effect, &mut span);
    }
    span.events = events(context, effect, attempt);
    span
}

/// Returns the time until the pool of a database had a connection for the attempt.
fn pool_wait_ns(effect: &Effect, attempt: &Attempt) -> Option<u64> {
    let first = attempt.points.first().filter(|_| matches!(effect.kind.as_str(), "sql" | "redis"))?;
    matches!(first.point.as_str(), "connection" | "connected").then_some(first.took_ns)
}

const fn some_time(ns: u64) -> Option<u64> {
    if ns == 0 { None } else { Some(ns) }
}

/// Adds how the attempt ended, unless an answer has set the status already.
fn end(end: &EffectEnd, span: &mut Span) {
    match end {
        EffectEnd::Ok { .. } => {}
        EffectEnd::Err(error) => {
            span.attributes.add("error.type", error.kind.as_str());
            span.status = Status { code: StatusCode::Error, message: error.message.clone() };
        }
        EffectEnd::Canceled => span.attributes.add("zerver.effect.end", "canceled"),
        EffectEnd::Unanswered => span.attributes.add("zerver.effect.end", "unanswered"),
    }
}

fn events(context: &SpanContext<'_>, effect: &Effect, attempt: &Attempt) -> Vec<SpanEvent> {
    let mut events = Vec::new();
    if attempt.retry_delay_ns > 0 {
        let began_ns = attempt.start_ns.saturating_sub(attempt.retry_delay_ns);
        let mut event = context.event(began_ns, "zerver.paused");
        event.attributes.add("zerver.wait_ns", attempt.retry_delay_ns);
        events.push(event);
    }
    if attempt.queued_ns > 0 {
        let mut event = context.event(attempt.start_ns, "zerver.queued");
        event.attributes.add_some("zerver.reason", attempt.queue_reason.map(QueueReason::as_str));
        event.attributes.add("zerver.wait_ns", attempt.queued_ns);
        events.push(event);
    }
    for point in &attempt.points {
        events.push(context.event(point.at_ns, &format!("zerver.point.{}", point.point.replace(' ', "_"))));
    }
    for note in effect.policy_decisions.iter().filter(|note| note.call == attempt.call) {
        let mut event = context.event(note.at_ns, "zerver.policy");
        event.attributes.add("zerver.decision", note.decision.as_str());
        event.attributes.add_some("zerver.wait_ns", some_time(note.wait_ns));
        events.push(event);
    }
    for fault in effect.injected_faults.iter().filter(|fault| fault.call == attempt.call) {
        let mut event = context.event(fault.at_ns, "zerver.fault_injected");
        event.attributes.add("zerver.rule", fault.rule.as_str());
        events.push(event);
    }
    for line in effect.log_lines.iter().filter(|line| line.call == Some(attempt.call)) {
        let mut event = context.event(line.at_ns, "zerver.logged");
        event.attributes.add("zerver.log.level", line.level.as_str());
        event.attributes.add_text("zerver.log.target", line.target.as_str());
        event.attributes.add("zerver.log.line", line.text());
        events.push(event);
    }
    for delay in &attempt.completion_delays {
        let mut event = context.event(delay.ready_ns, "zerver.completion_delayed");
        event.attributes.add("zerver.wait_ns", delay.delay_ns);
        event.attributes.add("zerver.reason", delay.reason());
        events.push(event);
    }
    events.sort_by_key(|event| event.unix_ns);
    events
}
