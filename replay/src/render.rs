//! What came of a run, as it may be told.

use zerver_trace::Outcome;

use crate::compare::comparison::told;
use crate::mask::Mask;
use crate::observed::Observed;
use crate::replay::Replay;
use crate::report::{AppliedEdit, EditedOutcome, ReplayedResponse, ReportedValue};
use crate::run::runner::Rerun;

/// How a run with edits ended.
pub(crate) fn ending(
    replay: &Replay<'_>,
    run: &Rerun,
    recorded: &Observed<'_>,
    mask: &Mask,
) -> Option<EditedOutcome> {
    let outcome = run.outcome.as_ref()?;
    let told = told(outcome, replay.flow.info());
    let text = |field: &str| told.get(field).map(|text| mask.text(text));
    let words = match outcome {
        Outcome::Done => String::new(),
        Outcome::Failed(info) => info.to_string(),
        Outcome::Panicked { message, .. } => message.clone(),
        Outcome::TimedOut { .. } => "the request's deadline passed".to_owned(),
        Outcome::Gone { .. } => "the client had gone".to_owned(),
        Outcome::Rejected { reason } => reason.clone(),
    };
    let recorded_ns = replay.recording.trace.duration_ns;
    // What came after the last step, such as handing over the answer, takes as long as it did.
    let after_ns = recorded.ended_ns().map_or(0, |ended_ns| recorded_ns.saturating_sub(ended_ns));
    Some(EditedOutcome {
        outcome: outcome.as_str().to_owned(),
        failure: mask.text(&words),
        failure_kind: match outcome {
            Outcome::Failed(info) => info.kind.as_str(),
            Outcome::TimedOut { .. } if replay.flow.deadline().is_some() => "flow_deadline",
            Outcome::TimedOut { .. } => "default_deadline",
            _ => "",
        }
        .to_owned(),
        call: match outcome {
            Outcome::Failed(info) => info.call,
            _ => None,
        },
        step: text("failure.step").unwrap_or_default(),
        duration_ns: run.ended_ns.saturating_add(after_ns),
        recorded_duration_ns: recorded_ns,
    })
}

pub(crate) fn masked(applied: &AppliedEdit, mask: &Mask) -> AppliedEdit {
    let side = |side: &ReportedValue| match side {
        ReportedValue::Value(value) => mask.value(value),
        ReportedValue::Text(text) => ReportedValue::Text(mask.text(text)),
        other => other.clone(),
    };
    AppliedEdit {
        target: mask.text(&applied.target),
        step: applied.step.clone(),
        from: side(&applied.from),
        to: side(&applied.to),
    }
}

pub(crate) fn replied(response: &zerver_engine::Response, mask: &Mask) -> ReplayedResponse {
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let shown = Some(value).filter(|value| !value.is_sensitive());
        let shown = shown.and_then(|value| mask.header(name.as_str(), value.as_bytes()));
        (name.as_str().to_owned(), shown.unwrap_or_else(|| "●●●● (secret)".to_owned()))
    };
    ReplayedResponse {
        status: response.status.as_u16(),
        headers: response.headers.iter().map(header).collect(),
        body: str::from_utf8(&response.body).ok().map(|text| mask.text(text)),
        body_bytes: response.body.len() as u64,
    }
}
