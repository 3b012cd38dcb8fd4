//! Services of the host program that a replay may use. The host passes all of them in; without a [`LivePerformer`], no
//! effect can reach anything outside.

use std::fmt;
use std::time::Duration;

use zerver_engine::{Call, CallResult};
use zerver_trace::secret::Rule;

/// Progress of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A run of today's code starts. A replay has several.
    RunStarted,
    /// This step is about to run.
    StepStarting(&'a str),
}

/// Services of the program that hosts a replay.
#[derive(Clone, Copy, Default)]
pub struct ReplayContext<'r> {
    /// Deadline of requests whose flow has none; `None` means no limit.
    pub deadline: Option<Duration>,
    /// True if that deadline is the default: neither the code nor the settings of the service set another.
    pub is_default_deadline: bool,
    /// Time limits that the settings give the calls of targets.
    pub targets: Option<&'r dyn TargetLimits>,
    /// Answers calls that depend on time alone, if the recording does not.
    pub timers: Option<&'r dyn TimerPerformer>,
    /// Performs calls for real, if neither the recording nor an edit answers them.
    pub live: Option<&'r dyn LivePerformer>,
    /// Rule for what counts as a secret; `None` means the built-in rule.
    pub secret_rule: Option<&'r Rule>,
}

impl fmt::Debug for ReplayContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayContext")
            .field("deadline", &self.deadline)
            .field("has_timers", &self.timers.is_some())
            .field("live_kinds", &self.live.map(LivePerformer::kinds))
            .finish_non_exhaustive()
    }
}

impl ReplayContext<'_> {
    pub(crate) fn rule(&self) -> Rule {
        self.secret_rule.cloned().unwrap_or_default()
    }
}

/// Time limits of calls that have none of their own.
pub trait TargetLimits {
    /// Returns the time limit of the calls of a target.
    fn time_limit(&self, target: &str) -> Option<Duration>;
}

/// Answers calls that depend on time alone, such as timers and clocks. In virtual time, these answers are known.
pub trait TimerPerformer {
    /// Returns the output of a call made at `unix_ns` (nanoseconds since the Unix epoch) and its duration, or `None` if
    /// the call depends on more than time.
    fn answer(&self, call: &Call, unix_ns: u64) -> Option<(CallResult, Duration)>;
}

/// Performs effects for real.
pub trait LivePerformer {
    /// Returns the kinds of effect that can be performed.
    fn kinds(&self) -> Vec<&'static str>;

    /// Performs a call within a time limit, and returns its output and duration. `name` is the label of the call with
    /// secrets masked.
    fn perform(&self, call: &Call, name: &str, within: Duration) -> (CallResult, Duration);
}
