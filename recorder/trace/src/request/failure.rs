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
    /// Nobody has paid for it: 402.
    PaymentRequired,
    /// What was asked for cannot be done to it; the answer's `Allow` says what can: 405.
    MethodNotAllowed,
    /// There is no form of it that the client accepts: 406.
    NotAcceptable,
    /// It was there, and will not come back: 410.
    Gone,
    /// A condition of the request, such as `If-Match`, does not hold: 412.
    PreconditionFailed,
    /// The body is of a type that is not understood: 415.
    UnsupportedMediaType,
    /// There is no such range of it: 416.
    RangeNotSatisfiable,
    /// The request is understood, and what it says is not valid: 422.
    Unprocessable,
    /// It is locked: 423.
    Locked,
    /// The request must have a condition, such as `If-Match`: 428.
    PreconditionRequired,
    /// It may not be given, for legal reasons: 451.
    LegalReasons,
    /// This service cannot do that: 501.
    NotImplemented,
}

impl FailureKind {
    /// The HTTP status (RFC 9110, section 15; 428 and 429 are RFC 6585, 423 is RFC 4918, 451 is RFC 7725).
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
            Self::PaymentRequired => 402,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::Gone => 410,
            Self::PreconditionFailed => 412,
            Self::UnsupportedMediaType => 415,
            Self::RangeNotSatisfiable => 416,
            Self::Unprocessable => 422,
            Self::Locked => 423,
            Self::PreconditionRequired => 428,
            Self::LegalReasons => 451,
            Self::NotImplemented => 501,
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
            Self::PaymentRequired => "payment_required",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotAcceptable => "not_acceptable",
            Self::Gone => "gone",
            Self::PreconditionFailed => "precondition_failed",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::RangeNotSatisfiable => "range_not_satisfiable",
            Self::Unprocessable => "unprocessable",
            Self::Locked => "locked",
            Self::PreconditionRequired => "precondition_required",
            Self::LegalReasons => "legal_reasons",
            Self::NotImplemented => "not_implemented",
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
