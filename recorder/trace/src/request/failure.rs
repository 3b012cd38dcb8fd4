//! Failures of requests, in terms of the service.

use std::fmt;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::Name;

/// Kind of failure. Each kind has one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// 400: the request is invalid.
    Invalid,
    /// 401: the caller is not authenticated.
    Unauthorized,
    /// 403: the caller is authenticated but not authorized.
    Forbidden,
    /// 404: the resource does not exist.
    NotFound,
    /// 409: the request conflicts with the current state of the resource.
    Conflict,
    /// 413: the body exceeds the size limit.
    TooLarge,
    /// 429: the client has sent too many requests.
    Limited,
    /// 500: a bug, or an unforeseen condition.
    Internal,
    /// 502: a dependency of the service returned an invalid response.
    BadUpstream,
    /// 503: a dependency of the service did not respond.
    Unavailable,
    /// 504: a time limit passed.
    Timeout,
    /// 402: payment is required.
    PaymentRequired,
    /// 405: the resource does not support the method; the `Allow` header of the response lists those it supports.
    MethodNotAllowed,
    /// 406: the resource has no representation that the client accepts.
    NotAcceptable,
    /// 410: the resource existed, and will not return.
    Gone,
    /// 412: a condition of the request, such as `If-Match`, is false.
    PreconditionFailed,
    /// 415: the media type of the body is not supported.
    UnsupportedMediaType,
    /// 416: the resource has no such range.
    RangeNotSatisfiable,
    /// 422: the request is well-formed, but its content is not valid.
    Unprocessable,
    /// 423: the resource is locked.
    Locked,
    /// 428: the request must have a condition, such as `If-Match`.
    PreconditionRequired,
    /// 451: the resource is unavailable for legal reasons.
    LegalReasons,
    /// 501: the service does not implement the request.
    NotImplemented,
}

impl FailureKind {
    /// Returns the HTTP status (RFC 9110, section 15; 428 and 429 are RFC 6585, 423 is RFC 4918, 451 is RFC 7725).
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

    /// Returns the word used in traces and responses.
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

/// A recorded failure.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct FailureInfo {
    /// Kind of the failure.
    pub kind: FailureKind,
    /// Type of the resource concerned, such as `todo`.
    pub what: Name,
    /// Key of the resource, such as `456`; empty if there is only one.
    pub key: String,
    /// Details for a person; may be empty.
    pub message: String,
    /// Position in the flow of the step that failed, or that requested the failed effect.
    pub step: Option<u16>,
    /// The `call` of the effect that failed.
    pub call: Option<u32>,
    /// Causes of the failure, nearest first.
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
