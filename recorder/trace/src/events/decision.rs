//! Decisions of steps.

use std::fmt;

use bincode::{Decode, Encode};
use serde::Serialize;

/// Decision that a step returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Continue with the next step.
    Continue,
    /// Wait for effects.
    Need,
    /// Run the same step again later, with its progress.
    Yield,
    /// Respond.
    Done,
    /// Fail.
    Fail,
    /// The step panicked, and so made no decision.
    Panic,
}

impl Decision {
    /// Returns the word used in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Need => "need",
            Self::Yield => "yield",
            Self::Done => "done",
            Self::Fail => "fail",
            Self::Panic => "panic",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
