//! Failures, as steps make them.

use std::fmt;

use http::StatusCode;
use serde::Serialize;
use zerver_trace::{EffectError, EffectErrorKind, FailureInfo, FailureKind, Name};

use crate::Response;

/// Why a request failed, in terms of the service: what sort of failure, of what, and which one.
///
/// ```
/// use zerver_engine::Failure;
/// let failure = Failure::not_found("todo", 456);
/// assert_eq!(failure.to_string(), "not_found todo 456");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    kind: FailureKind,
    what: Name,
    key: String,
    message: String,
    retry_after_s: Option<u32>,
    causes: Vec<String>,
    call: Option<u32>,
}

impl Failure {
    /// A failure of this kind, about `what`, such as `todo`.
    pub fn new(kind: FailureKind, what: &'static str) -> Self {
        Self(Box::new(Inner {
            kind,
            what: what.into(),
            key: String::new(),
            message: String::new(),
            retry_after_s: None,
            causes: Vec::new(),
            call: None,
        }))
    }

    /// The request does not make sense: 400.
    pub fn invalid(what: &'static str) -> Self {
        Self::new(FailureKind::Invalid, what)
    }

    /// Who asks is not known: 401.
    pub fn unauthorized(what: &'static str) -> Self {
        Self::new(FailureKind::Unauthorized, what)
    }

    /// Who asks may not: 403.
    pub fn forbidden(what: &'static str) -> Self {
        Self::new(FailureKind::Forbidden, what)
    }

    /// It is not there: 404.
    pub fn not_found(what: &'static str, key: impl fmt::Display) -> Self {
        Self::new(FailureKind::NotFound, what).key(key)
    }

    /// It contradicts what is there: 409.
    pub fn conflict(what: &'static str, key: impl fmt::Display) -> Self {
        Self::new(FailureKind::Conflict, what).key(key)
    }

    /// Asked for too often; try again after so many seconds: 429.
    pub fn limited(what: &'static str, retry_after_s: u32) -> Self {
        let mut failure = Self::new(FailureKind::Limited, what);
        failure.0.retry_after_s = Some(retry_after_s);
        failure
    }

    /// A bug: 500.
    pub fn internal(what: &'static str) -> Self {
        Self::new(FailureKind::Internal, what)
    }

    /// Something this service needs gave a wrong answer: 502.
    pub fn bad_upstream(what: &'static str) -> Self {
        Self::new(FailureKind::BadUpstream, what)
    }

    /// Something this service needs gave no answer: 503.
    pub fn unavailable(what: &'static str) -> Self {
        Self::new(FailureKind::Unavailable, what)
    }

    /// Which one it is about.
    #[must_use]
    pub fn key(mut self, key: impl fmt::Display) -> Self {
        self.0.key = key.to_string();
        self
    }

    /// More, for a person. It is part of the answer: say nothing that the client must not know.
    #[must_use]
    pub fn message(mut self, message: impl fmt::Display) -> Self {
        self.0.message = message.to_string();
        self
    }

    /// What caused it, with the causes of that. They are recorded, and not part of the answer.
    #[must_use]
    pub fn because(mut self, cause: &(dyn std::error::Error + 'static)) -> Self {
        let chain = std::iter::successors(Some(cause), |error| error.source());
        self.0.causes.extend(chain.map(ToString::to_string).take(16));
        self
    }

    /// The failure that an effect's error amounts to, where the flow says nothing better.
    pub fn from_effect(kind: &'static str, error: &EffectError) -> Self {
        let failure = match error.kind {
            EffectErrorKind::Timeout => FailureKind::Timeout,
            EffectErrorKind::Unreachable => FailureKind::Unavailable,
            EffectErrorKind::Malformed | EffectErrorKind::TooLarge => FailureKind::BadUpstream,
            EffectErrorKind::Invalid | EffectErrorKind::NoInterpreter | EffectErrorKind::Internal => {
                FailureKind::Internal
            }
        };
        Self::new(failure, kind).because(error)
    }

    pub(crate) fn of_call(mut self, call: u32) -> Self {
        self.0.call.get_or_insert(call);
        self
    }

    /// What sort of failure.
    pub fn kind(&self) -> FailureKind {
        self.0.kind
    }

    /// What it is about.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// Which one; empty where there is only one.
    pub fn which(&self) -> &str {
        &self.0.key
    }

    /// As it is recorded, when `step` gave up.
    pub(crate) fn info(&self, step: Option<u16>) -> FailureInfo {
        let Inner { kind, what, key, message, causes, call, .. } = &*self.0;
        FailureInfo {
            kind: *kind,
            what: what.clone(),
            key: key.clone(),
            message: message.clone(),
            step,
            call: *call,
            causes: causes.clone(),
        }
    }

    /// The answer which clients get when a service does not render failures itself:
    /// `{"error": {"kind", "what", "key"?, "message"?}}`.
    pub fn to_response(&self) -> Response {
        let inner = &*self.0;
        let error = Rendered {
            kind: inner.kind.as_str(),
            what: &inner.what,
            key: &inner.key,
            message: &inner.message,
        };
        let status = StatusCode::from_u16(inner.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let response = Response::json(&Answer { error }).status(status);
        match (inner.retry_after_s, inner.kind) {
            (Some(seconds), _) => response.header("retry-after", &seconds.to_string()),
            (None, FailureKind::Unauthorized) => response.header("www-authenticate", "Bearer"),
            (None, _) => response,
        }
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    error: Rendered<'a>,
}

#[derive(Serialize)]
struct Rendered<'a> {
    kind: &'static str,
    what: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    key: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.info(None), f)
    }
}

impl std::error::Error for Failure {}
