//! The end of a step or an effect, and whether the client was at fault.

use zerver_trace::{Decision, Outcome, Trace, is_client_error};

use crate::{Effect, EffectEnd, Failure, StepRun};

/// State of a row of a request at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowState {
    /// Success.
    Good,
    /// The request ended there with a status of 4xx: the client was at fault.
    ClientError,
    /// Failure for which the client was not at fault.
    Failed,
    /// The trace lacks the result.
    Unknown,
}

impl RowState {
    /// Returns true if the request ended there without success, with or without fault of the client.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::ClientError | Self::Failed)
    }

    /// Returns the state of a run. `failure` is that of the request if it failed in this run.
    pub fn of_run(trace: &Trace, run: &StepRun, failure: Option<&Failure>) -> Self {
        match run.decision {
            Some(Decision::Panic) => Self::Failed,
            Some(Decision::Fail) => Self::of_failure(trace),
            _ if failure.is_some() => Self::of_failure(trace),
            Some(_) => Self::Good,
            None => Self::Unknown,
        }
    }

    /// Returns the state of an effect. An effect that failed is never the fault of the client.
    pub fn of_effect(trace: &Trace, effect: &Effect) -> Self {
        let blamed = match &trace.outcome {
            Outcome::Failed(info) => info.call,
            _ => None,
        };
        match &effect.end {
            EffectEnd::Err(_) => Self::Failed,
            _ if effect.attempts.iter().any(|attempt| Some(attempt.call) == blamed) => {
                Self::of_failure(trace)
            }
            EffectEnd::Unanswered => Self::Unknown,
            _ => Self::Good,
        }
    }

    const fn of_failure(trace: &Trace) -> Self {
        if is_client_error(trace.status) { Self::ClientError } else { Self::Failed }
    }
}

#[cfg(test)]
mod tests {
    use zerver_testkit::sample;

    use super::*;
    use crate::{RowSubject, Timeline, waterfall_rows};

    #[test]
    fn what_ends_a_request_with_a_4xx_is_an_error_of_the_client() {
        for (status, wanted) in [(404, RowState::ClientError), (502, RowState::Failed), (0, RowState::Failed)]
        {
            let trace = Trace { status, ..sample::failed() };
            let rows = waterfall_rows(&trace, &Timeline::of(&trace), 100);
            let ended: Vec<_> = rows.iter().filter(|row| row.state != RowState::Good).collect();
            // The step, the effect that it blames, and the response.
            assert_eq!(ended.iter().map(|row| row.state).collect::<Vec<_>>(), [wanted; 3], "{status}");
            assert_eq!(ended[2].subject, RowSubject::Response);
        }
        let done = sample::slow();
        let rows = waterfall_rows(&done, &Timeline::of(&done), 100);
        assert!(rows.iter().all(|row| row.state == RowState::Good));
    }
}
