//! Builds the failure of a timeline from the outcome of a trace and its rows.

use zerver_trace::{Outcome, Trace};

use crate::timeline::build::flow_names::Names;
use crate::timeline::rows::effect::{Effect, EffectEnd};
use crate::timeline::rows::failure::Failure;
use crate::timeline::rows::timeline::StepRun;

pub(crate) fn failure(trace: &Trace, runs: &[StepRun], names: &mut Names<'_>) -> Option<Failure> {
    let effects = || runs.iter().flat_map(|run| &run.effects);
    let shown = |effect: &Effect| (effect.label(), effect.end.to_string());
    let pending =
        || effects().filter(|effect| matches!(effect.end, EffectEnd::Unanswered | EffectEnd::Canceled));
    let mut failure = Failure {
        kind: kind(&trace.outcome).to_owned(),
        what: String::new(),
        key: String::new(),
        message: String::new(),
        step: None,
        panicked_at: None,
        effects: Vec::new(),
        causes: Vec::new(),
    };
    let step = match &trace.outcome {
        Outcome::Done => return None,
        Outcome::Failed(info) => {
            info.kind.as_str().clone_into(&mut failure.kind);
            failure.what = info.what.to_string();
            failure.key.clone_from(&info.key);
            failure.message.clone_from(&info.message);
            failure.causes.clone_from(&info.causes);
            let failed = info.call.and_then(|call| {
                effects().find(|effect| effect.attempts.iter().any(|attempt| attempt.call == call))
            });
            failure.effects = failed.map(shown).into_iter().collect();
            info.step
        }
        Outcome::Panicked { step, message } => {
            failure.message.clone_from(message);
            Some(*step)
        }
        Outcome::TimedOut { step } | Outcome::ClientLeft { step } => {
            failure.effects = pending().map(shown).collect();
            Some(*step)
        }
        Outcome::Rejected { reason } => {
            failure.message.clone_from(reason);
            None
        }
    };
    failure.step = step.map(|step| names.step(step));
    Some(failure)
}

/// Returns the kind of a failure that no step has named. The outcome `gone` has another name here, because `gone` is
/// also the kind of a failure with status 410.
const fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::ClientLeft { .. } => "client_left",
        outcome => outcome.as_str(),
    }
}
