//! Turns the result of a run into a report, with secrets masked.

use zerver_trace::{FlowInfo, Origin, Outcome};

use crate::compare::comparison::Comparison;
use crate::compare::outcome::outcome_fields;
use crate::mask::Mask;
use crate::missing_input::MissingInput;
use crate::observed::Observed;
use crate::replay::Replay;
use crate::report::{
    AppliedEdit, Consequence, Coverage, EditedOutcome, Finding, FindingClass, ReplayedResponse, Report,
    ReportedValue,
};
use crate::run::input::ReplayInput;
use crate::run::run_result::RunResult;

impl Replay<'_> {
    /// Returns the report for a flow whose route has changed.
    pub(crate) fn route_changed(&self, recorded: &Observed<'_>) -> Report {
        let route = |flow: &FlowInfo| ReportedValue::text(format!("{} {}", flow.method, flow.pattern));
        let (then, now) = (&self.recording.trace.flow, self.flow.info());
        let finding = Finding {
            class: FindingClass::CodeChanged,
            step: String::new(),
            field: "route".to_owned(),
            expected: route(then),
            got: route(now),
            source: None,
        };
        let decisions_recorded = recorded.runs.len() as u32;
        Report {
            coverage: Coverage { decisions_recorded, ..Coverage::default() },
            findings: vec![finding],
            ..Report::default()
        }
    }

    pub(crate) fn unknown(&self, input: &ReplayInput) -> Vec<MissingInput> {
        let dropped = self.recording.trace.events_dropped;
        let events =
            (dropped > 0).then(|| MissingInput::Other(format!("events: {dropped} were not recorded")));
        input.unknown.iter().cloned().chain(events).collect()
    }

    /// Returns a report without findings. `now` is `None` if the run reproduced everything.
    pub(crate) fn report(
        &self,
        recorded: &Observed<'_>,
        now: Option<&Observed<'_>>,
        run: &RunResult,
        mask: &Mask,
        input: &ReplayInput,
    ) -> Report {
        let mut notes = run.notes.clone();
        for unknown in &self.unknown(input) {
            notes.push(format!("not needed: {}", unknown.description()));
        }
        let origin = &self.recording.trace.origin;
        if now.is_some() && *origin == Origin::NotRecorded && input.arrival.request.uri.authority().is_none()
        {
            notes.push("the recording does not show whether the target named an authority".to_owned());
        }
        if now.is_some() && recorded.lacks_response() {
            notes.push(
                "the response is not compared: it was not recorded because the client had left".to_owned(),
            );
        }
        if let Some(unanswered) = &run.unanswered {
            let label = mask.text(&unanswered.label);
            let kind = label.split(' ').next().unwrap_or_default();
            notes.push(format!(
                "the replay ended at {label}; supply an answer with --answer '{label}=JSON', or perform it with --live {kind}"
            ));
        }
        let decisions_recorded = recorded.runs.len() as u32;
        Report {
            coverage: Coverage {
                decisions_reproduced: now.map_or(decisions_recorded, |now| {
                    Comparison::reproduced(self.flow.info(), recorded, now)
                }),
                decisions_recorded,
                effects_replayed: run.replayed,
                effects_live: run.live.len() as u32,
                effects_unanswered: run.unanswered.is_some().into(),
            },
            applied: run.applied.iter().map(|applied| masked(applied, mask)).collect(),
            notes,
            consequences: match self.edits.is_empty() {
                true => Vec::new(),
                false => run.consequences(),
            }
            .into_iter()
            .map(|of| Consequence { effect: mask.text(&of.effect), ..of })
            .collect(),
            response: run.response.as_ref().map(|response| replied(response, mask)),
            edited_outcome: Some(run)
                .filter(|_| !self.edits.is_empty())
                .and_then(|run| ending(self, run, recorded, mask)),
            ..Report::default()
        }
    }
}

/// Returns the outcome of a run with edits.
pub(crate) fn ending(
    replay: &Replay<'_>,
    run: &RunResult,
    recorded: &Observed<'_>,
    mask: &Mask,
) -> Option<EditedOutcome> {
    let outcome = run.outcome.as_ref()?;
    let fields = outcome_fields(outcome, replay.flow.info());
    let text = |field: &str| fields.get(field).map(|text| mask.text(text));
    let words = match outcome {
        Outcome::Done => String::new(),
        Outcome::Failed(info) => info.to_string(),
        Outcome::Panicked { message, .. } => message.clone(),
        Outcome::TimedOut { .. } => "the request's deadline passed".to_owned(),
        Outcome::ClientLeft { .. } => "the client left".to_owned(),
        Outcome::Rejected { reason } => reason.clone(),
    };
    let recorded_ns = replay.recording.trace.duration_ns;
    // Whatever followed the last step, such as writing the response, takes its recorded time.
    let after_ns = recorded.ended_ns().map_or(0, |ended_ns| recorded_ns.saturating_sub(ended_ns));
    Some(EditedOutcome {
        outcome: outcome.as_str().to_owned(),
        failure: mask.text(&words),
        failure_kind: match outcome {
            Outcome::Failed(info) => info.kind.as_str(),
            Outcome::TimedOut { .. } if replay.flow.deadline().is_some() => "flow_deadline",
            Outcome::TimedOut { .. } if replay.context.is_default_deadline => "default_deadline",
            Outcome::TimedOut { .. } => "service_deadline",
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
        body: match response.stream {
            Some(_) => None,
            None => str::from_utf8(&response.body).ok().map(|text| mask.text(text)),
        },
        body_bytes: response.body.len() as u64,
        stream: response.stream.as_ref().map(|stream| mask.text(&format!("{:?}", stream.call()))),
    }
}
