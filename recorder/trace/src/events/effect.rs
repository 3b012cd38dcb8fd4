//! Answers and errors of effects, and the reasons for which effects queue.

use std::fmt;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Reason for which a requested effect cannot start yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum QueueReason {
    /// The pause before another attempt has not passed.
    RetryDelay,
    /// The request has its maximum number of effects in flight.
    Request,
    /// The target has its maximum number of effects in flight.
    Target,
    /// The kind has its maximum number of effects in flight.
    Kind,
    /// The target gets its maximum number of calls per second.
    Rate,
    /// The first attempt of a hedge has some time to answer.
    Hedge,
}

impl QueueReason {
    /// Returns the word used in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetryDelay => "retry_delay",
            Self::Request => "request",
            Self::Target => "target",
            Self::Kind => "kind",
            Self::Rate => "rate",
            Self::Hedge => "hedge",
        }
    }
}

/// Result of an effect.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Answer<V> {
    /// The effect succeeded with this output.
    Ok(V),
    /// The effect failed.
    Err(EffectError),
    /// The result was no longer needed: the request had ended, or another effect had finished first.
    Canceled,
}

impl<V> Answer<V> {
    /// Returns the same answer with `f` applied to its output.
    pub fn map<W>(self, f: impl FnOnce(V) -> W) -> Answer<W> {
        match self {
            Self::Ok(value) => Answer::Ok(f(value)),
            Self::Err(error) => Answer::Err(error),
            Self::Canceled => Answer::Canceled,
        }
    }
}

/// Error of an effect that produced no output.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct EffectError {
    /// Kind of the error.
    pub kind: EffectErrorKind,
    /// Details for a person.
    pub message: String,
}

impl EffectError {
    /// Creates an error of the given kind.
    pub fn new(kind: EffectErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for EffectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.message)
    }
}

impl std::error::Error for EffectError {}

/// Kind of error that an effect ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectErrorKind {
    /// The effect exceeded its time limit.
    Timeout,
    /// The target could not be reached, or closed the connection.
    Unreachable,
    /// The output could not be parsed.
    Malformed,
    /// The output exceeds a size limit.
    TooLarge,
    /// The arguments are invalid.
    Invalid,
    /// No interpreter for this kind of effect is registered.
    NoInterpreter,
    /// The interpreter failed or panicked.
    Internal,
    /// The target reported an error.
    Failed,
    /// A policy of this service did not let the call through.
    Refused,
    /// The connection was lost after the call had been sent, so that it is unknown whether it took effect.
    UnknownOutcome,
}

impl EffectErrorKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Timeout,
        Self::Unreachable,
        Self::Malformed,
        Self::TooLarge,
        Self::Invalid,
        Self::NoInterpreter,
        Self::Internal,
        Self::Failed,
        Self::Refused,
        Self::UnknownOutcome,
    ];

    /// Returns true if another attempt of a call that is idempotent may succeed: it exceeded its time limit, its target
    /// could not be reached, or it is unknown whether it took effect.
    pub const fn may_be_temporary(self) -> bool {
        matches!(self, Self::Timeout | Self::Unreachable | Self::UnknownOutcome)
    }

    /// Returns the word used in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Invalid => "invalid",
            Self::NoInterpreter => "no_interpreter",
            Self::Internal => "internal",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::UnknownOutcome => "unknown_outcome",
        }
    }
}

impl fmt::Display for EffectErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
