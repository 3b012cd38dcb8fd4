//! Outcomes of requests, and the reasons for keeping their traces.

use bincode::{Decode, Encode};
use serde::Serialize;

use super::FailureInfo;

/// Reason for keeping a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// The policy keeps every trace.
    All,
    /// The request failed.
    Failed,
    /// The request was slow for its flow.
    Slow,
    /// The request asked to be recorded.
    Requested,
    /// The request belongs to the sampled share.
    Sampled,
    /// The trace was imported: another tracer recorded the request, as spans. What zerver records besides is unknown.
    Imported,
}

/// Outcome of a request.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Outcome {
    /// A step responded.
    Done,
    /// A step failed, or an effect failed and no step handled it.
    Failed(FailureInfo),
    /// A step panicked.
    Panicked {
        /// Position of the step in the flow.
        step: u16,
        /// Message of the panic.
        message: String,
    },
    /// The deadline of the request passed.
    TimedOut {
        /// Position of the current step in the flow.
        step: u16,
    },
    /// The client left.
    ClientLeft {
        /// Position of the current step in the flow.
        step: u16,
    },
    /// The request was answered before any step ran.
    Rejected {
        /// Reason for the rejection.
        reason: String,
    },
}

impl Outcome {
    /// Returns the word used in lists and filters.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::Panicked { .. } => "panicked",
            Self::TimedOut { .. } => "timed_out",
            Self::ClientLeft { .. } => "gone",
            Self::Rejected { .. } => "rejected",
        }
    }

    /// Returns true unless a step responded.
    pub const fn is_failure(&self) -> bool {
        !matches!(self, Self::Done)
    }
}
