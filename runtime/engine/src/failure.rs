//! Failures, as steps make them.

use std::fmt;

use http::{HeaderName, HeaderValue, StatusCode, header};
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
    fields: Vec<FieldFailure>,
    headers: Vec<(&'static str, String)>,
    causes: Vec<String>,
    call: Option<u32>,
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FieldFailure {
    /// The field: `title`, `items[2].count`.
    pub field: String,
    /// What is wrong with it, for a person.
    pub message: String,
}

impl Failure {
    /// A failure of this kind, about `what`, such as `todo`.
    pub fn new(kind: FailureKind, what: &'static str) -> Self {
        Self(Box::new(Inner {
            kind,
            what: what.into(),
            key: String::new(),
            message: String::new(),
            fields: Vec::new(),
            headers: Vec::new(),
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

    /// The request is understood, and what it says is not valid: 422. [`Failure::field`] says what of it.
    ///
    /// ```
    /// use zerver_engine::Failure;
    /// let failure = Failure::unprocessable("todo").field("title", "is empty").field("due", "is no date");
    /// assert_eq!(failure.to_string(), "unprocessable todo: title is empty; due is no date");
    /// ```
    pub fn unprocessable(what: &'static str) -> Self {
        Self::new(FailureKind::Unprocessable, what)
    }

    /// It was there, and will not come back: 410.
    pub fn gone(what: &'static str, key: impl fmt::Display) -> Self {
        Self::new(FailureKind::Gone, what).key(key)
    }

    /// A condition of the request does not hold, such as its `If-Match`: 412.
    pub fn precondition_failed(what: &'static str, key: impl fmt::Display) -> Self {
        Self::new(FailureKind::PreconditionFailed, what).key(key)
    }

    /// The body is of a type that is not understood: 415.
    pub fn unsupported_media_type(what: &'static str) -> Self {
        Self::new(FailureKind::UnsupportedMediaType, what)
    }

    /// Asked for too often; try again after so many seconds: 429.
    pub fn limited(what: &'static str, retry_after_s: u32) -> Self {
        Self::new(FailureKind::Limited, what).retry_after(retry_after_s)
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

    /// What is wrong with one field of the request; called again, with this one too. It is part of the answer.
    #[must_use]
    pub fn field(mut self, field: impl fmt::Display, message: impl fmt::Display) -> Self {
        self.0.fields.push(FieldFailure { field: field.to_string(), message: message.to_string() });
        self
    }

    /// After how many seconds it is worth trying again, as the answer's `Retry-After` says.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.header("retry-after", seconds)
    }

    /// A header of the answer, such as `allow` of a 405 or `www-authenticate` of a 401; of two with the same name the later
    /// one counts. A value that HTTP does not allow is left out.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.0.headers.push((name, value.to_string()));
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

    /// The HTTP status of its kind.
    pub fn status(&self) -> u16 {
        self.0.kind.status()
    }

    /// What [`Failure::message`] was given; may be empty.
    pub fn message_text(&self) -> &str {
        &self.0.message
    }

    /// What [`Failure::field`] was given, in order.
    pub fn fields(&self) -> &[FieldFailure] {
        &self.0.fields
    }

    /// What caused it, nearest first.
    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }

    /// As it is recorded, when `step` gave up.
    pub(crate) fn info(&self, step: Option<u16>) -> FailureInfo {
        let Inner { kind, what, key, message, fields, causes, call, .. } = &*self.0;
        let texts = fields.iter().map(|FieldFailure { field, message }| format!("{field} {message}"));
        let said = Some(message.clone()).filter(|message| !message.is_empty());
        FailureInfo {
            kind: *kind,
            what: what.clone(),
            key: key.clone(),
            message: said.into_iter().chain(texts).collect::<Vec<_>>().join("; "),
            step,
            call: *call,
            causes: causes.clone(),
        }
    }

    /// The answer which clients get when a service does not render failures itself:
    /// `{"error": {"kind", "what", "key"?, "message"?, "fields"?: [{"field", "message"}]}}`.
    pub fn to_response(&self) -> Response {
        let inner = &*self.0;
        let error = Rendered {
            kind: inner.kind.as_str(),
            what: &inner.what,
            key: &inner.key,
            message: &inner.message,
            fields: &inner.fields,
        };
        let status = StatusCode::from_u16(inner.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::json(&Answer { error }).status(status);
        if inner.kind == FailureKind::Unauthorized {
            response.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        for (name, value) in &inner.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::try_from(value)) {
                response.headers.insert(name, value);
            }
        }
        response
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
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    fields: &'a [FieldFailure],
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.info(None), f)
    }
}

impl std::error::Error for Failure {}
