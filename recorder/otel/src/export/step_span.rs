//! The span of a run of a step, of kind `INTERNAL`. It lasts until the effects that the step has requested have ended.

use zerver_analysis::StepRun;
use zerver_trace::{Decision, Outcome, SpanId};

use super::span_context::{ExportOptions, SpanContext};
use crate::otlp::{Span, SpanKind, Status, StatusCode};

pub(super) fn step_span(
    context: &SpanContext<'_>,
    run: &StepRun,
    number: u32,
    options: &ExportOptions,
) -> Span {
    let trace = context.trace;
    let attempts = run.effects.iter().flat_map(|effect| &effect.attempts);
    let ends = attempts.map(|attempt| attempt.start_ns.saturating_add(attempt.duration_ns));
    let end_ns = ends.fold(run.start_ns.saturating_add(run.cpu_ns), u64::max);
    let mut span = context.span(SpanId::of_run(trace.id, number), run.start_ns, end_ns);
    span.parent_span_id = SpanId::of_request(trace.id).as_u64();
    span.kind = SpanKind::Internal;
    span.name.clone_from(&run.step.name);
    let attributes = &mut span.attributes;
    attributes.add("code.function.name", run.step.name.as_str());
    attributes.add_text("code.file.path", run.step.file.as_str());
    attributes.add_some("code.line.number", (run.step.line > 0).then_some(run.step.line));
    // Without a decision, the run itself was not recorded, and its times are unknown.
    if let Some(decision) = run.decision {
        attributes.add("zerver.decision", decision.as_str());
        attributes.add("zerver.queue_ns", run.queue_ns);
        attributes.add("zerver.cpu_ns", run.cpu_ns);
    }
    attributes.add_some("zerver.exceeded_quantum_ns", run.exceeded_quantum_ns);
    if options.with_values {
        let writes = run.writes.iter().chain(run.effects.iter().flat_map(|effect| &effect.writes));
        for write in writes {
            if let Ok(json) = serde_json::to_string(&write.json()) {
                attributes.add(format!("zerver.slot.{}", write.name), json);
            }
        }
    }
    let is_error = match run.decision {
        Some(Decision::Panic) => true,
        Some(Decision::Fail) => trace.status >= 500,
        _ => false,
    };
    if is_error {
        let error = match &trace.outcome {
            Outcome::Failed(failure) => failure.kind.as_str(),
            outcome => outcome.as_str(),
        };
        attributes.add("error.type", error);
        span.status = Status { code: StatusCode::Error, message: String::new() };
    }
    span
}
