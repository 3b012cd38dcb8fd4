//! What a replay may ask of the program around it. All of it is handed in, and nothing of it is there by itself: where
//! there is no [`LivePerformer`], no effect can reach anything.

use std::time::Duration;

use zerver_engine::{Call, CallResult};
use zerver_trace::secret::Rule;

/// How far a replay has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A run of today's code begins; there are several in a replay.
    RunStarted,
    /// This step is about to run.
    StepStarting(&'a str),
}

/// The program around a replay.
#[derive(Clone, Copy, Default)]
pub struct ReplayContext<'r> {
    /// How long a request may take where its flow does not say; none means for ever.
    pub deadline: Option<Duration>,
    /// What answers calls that are about time alone, where the recording does not.
    pub timers: Option<&'r dyn TimerPerformer>,
    /// What performs calls for real, where neither the recording nor an edit answers them.
    pub live: Option<&'r dyn LivePerformer>,
    /// What counts as a secret; none: the built-in rule.
    pub secret_rule: Option<&'r Rule>,
}

impl ReplayContext<'_> {
    pub(crate) fn rule(&self) -> Rule {
        self.secret_rule.cloned().unwrap_or_default()
    }
}

/// Calls that are about time alone, such as a timer and a clock: in virtual time their answers are known.
pub trait TimerPerformer {
    /// What a call gives that is asked for at this time (in nanoseconds since the Unix epoch), and how long it takes;
    /// none if it is about more than time.
    fn answer(&self, call: &Call, unix_ns: u64) -> Option<(CallResult, Duration)>;
}

/// Performs effects for real.
pub trait LivePerformer {
    /// The kinds of effect that it can perform.
    fn kinds(&self) -> Vec<&'static str>;

    /// Performs a call within a time, and says how long it took. `name` is what may be told of it beforehand.
    fn perform(&self, call: &Call, name: &str, within: Duration) -> (CallResult, Duration);
}
