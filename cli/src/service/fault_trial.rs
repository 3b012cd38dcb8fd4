//! Outcome of a request with one injected fault.

use serde::Serialize;
use zerver_replay::{Consequence, ConsequenceState, FaultTrial, Report};

use crate::error::CommandError;

/// Result of one injected fault, in its stable JSON form. Fields may be added.
#[derive(Debug, Serialize)]
pub(crate) struct FaultOutcome {
    pub(crate) effect: String,
    pub(crate) call: u32,
    pub(crate) fault: &'static str,
    /// Status of the response; `None` if there was none.
    pub(crate) status: Option<u16>,
    /// Outcome as traces name it, or `died` if the process did, `unanswered` if the run reached an effect without a
    /// recorded result, `refused` if it could not be run.
    pub(crate) outcome: String,
    /// Description of the failure; empty if there was none.
    pub(crate) failure: String,
    /// Step that failed; empty if none did.
    pub(crate) step: String,
    pub(crate) duration_ns: Option<u64>,
    pub(crate) panicked: bool,
    /// Consequences of the failure for the effects that change something. Empty if the request succeeded.
    pub(crate) consequences: Vec<Consequence>,
    /// NotReplayedGroup why this is a finding; `None` if it is none.
    pub(crate) finding: Option<&'static str>,
}

impl FaultOutcome {
    fn new(trial: FaultTrial, outcome: &str) -> Self {
        Self {
            effect: trial.effect,
            call: trial.call,
            fault: trial.word,
            status: None,
            outcome: outcome.to_owned(),
            failure: String::new(),
            step: String::new(),
            duration_ns: None,
            panicked: false,
            consequences: Vec::new(),
            finding: None,
        }
    }

    /// Returns the outcome of a trial that ran. `recorded` is the outcome of the recorded request.
    pub(crate) fn from_report(trial: FaultTrial, report: &Report, recorded: &str) -> Self {
        let Some(edited_outcome) = &report.edited_outcome else {
            let is_unanswered = report.coverage.effects_unanswered > 0;
            let why = report.notes.last().cloned();
            let why = why.or_else(|| report.missing_inputs.first().map(ToString::to_string));
            let outcome = if is_unanswered { "unanswered" } else { "refused" };
            return Self { failure: why.unwrap_or_default(), ..Self::new(trial, outcome) };
        };
        let finding = match (&*edited_outcome.outcome, &*edited_outcome.failure_kind, edited_outcome.call) {
            ("panicked", ..) => Some("a step panicked"),
            ("timed_out", "default_deadline", _) if recorded != "timed_out" => Some(
                "only the default deadline ended it: give the effect a time limit, or the flow a deadline",
            ),
            (_, "internal", None) => Some("a step reported it as a bug of the service"),
            _ => None,
        };
        let is_not_undone = |of: &Consequence| of.state == ConsequenceState::NotUndone;
        let finding = finding.or_else(|| {
            report.consequences.iter().any(is_not_undone).then_some("what was done is not undone")
        });
        Self {
            status: report.response.as_ref().map(|response| response.status),
            failure: edited_outcome.failure.clone(),
            step: edited_outcome.step.clone(),
            duration_ns: Some(edited_outcome.duration_ns),
            panicked: edited_outcome.outcome == "panicked",
            consequences: report.consequences.clone(),
            finding,
            ..Self::new(trial, &edited_outcome.outcome)
        }
    }

    /// Returns the outcome of a trial without a report.
    pub(crate) fn from_error(trial: FaultTrial, error: &CommandError, is_host_alive: bool) -> Self {
        let failure = error.one_line();
        match is_host_alive {
            true => Self { failure, ..Self::new(trial, "refused") },
            false => Self { failure, finding: Some("the service died"), ..Self::new(trial, "died") },
        }
    }
}
