//! Failures: what went wrong, in terms of the service.

use std::fmt;

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::Name;

/// What sort of failure it is. Each has one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The request does not make sense: 400.
    Invalid,
    /// Who asks is not known: 401.
    Unauthorized,
    /// Who asks is known and may not: 403.
    Forbidden,
    /// What was asked for is not there: 404.
    NotFound,
    /// What was asked for contradicts what is there: 409.
    Conflict,
    /// The body is larger than allowed: 413.
    TooLarge,
    /// Asked for too often: 429.
    Limited,
    /// A bug, or something nobody thought of: 500.
    Internal,
    /// Something this service needs gave a wrong answer: 502.
    BadUpstream,
    /// Something this service needs gave no answer: 503.
    Unavailable,
    /// Something took too long: 504.
    Timeout,
}

impl FailureKind {
    /// The HTTP status (RFC 9110, section 15; 429 is RFC 6585).
    pub const fn status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::Limited => 429,
            Self::Internal => 500,
            Self::BadUpstream => 502,
            Self::Unavailable => 503,
            Self::Timeout => 504,
        }
    }

    /// The word used in traces and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::Limited => "limited",
            Self::Internal => "internal",
            Self::BadUpstream => "bad_upstream",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A failure as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct FailureInfo {
    /// What sort of failure.
    pub kind: FailureKind,
    /// What it is about, such as `todo`.
    pub what: Name,
    /// Which one, such as `456`; empty where there is only one.
    pub key: String,
    /// More, for a person; may be empty.
    pub message: String,
    /// The step that failed, or that asked for the effect which failed: position in the flow.
    pub step: Option<u16>,
    /// The effect that failed: the `call` of its events.
    pub call: Option<u32>,
    /// What caused it, nearest first.
    pub causes: Vec<String>,
}

impl fmt::Display for FailureInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.what)?;
        if !self.key.is_empty() {
            write!(f, " {}", self.key)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}
