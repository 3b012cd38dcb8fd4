//! Failures: reasons why a request fails, in terms of the service.

mod slot_value;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zerver_trace::{EffectError, EffectErrorKind, FailureInfo, FailureKind, Name};

/// Reason why a request fails, in terms of the service: the kind of failure, the thing it is about, and its key.
///
/// A failure becomes the response of the request: through the recovery step of the flow if there is one, through the
/// function of the flow or of the program that renders failures, or else through [`Failure::to_response`].
///
/// The recovery step of a flow reads the failure as a built-in slot; other steps cannot
/// ([`FlowDef::recover`](crate::FlowDef::recover)).
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
    call: Option<FailedCall>,
    step: Option<FailedStep>,
    problem: Option<ProblemType>,
    not_undone: Vec<String>,
    error: Option<TypedError>,
}

/// The call that led to a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FailedCall {
    number: u32,
    kind: Name,
}

/// The step at which a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FailedStep {
    /// `None` if the failure was decoded.
    at: Option<u16>,
    name: Name,
}

/// A problem type of RFC 9457.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProblemType {
    pub(crate) uri: &'static str,
    pub(crate) title: &'static str,
}

/// The error of an effect, as the type that the effect declares.
#[derive(Clone)]
struct TypedError(Arc<dyn Any + Send + Sync>);

impl fmt::Debug for TypedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedError")
    }
}

/// The texts of a failure, which include the error's own, decide whether two failures are equal.
impl PartialEq for TypedError {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for TypedError {}

/// Failure of one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FieldFailure {
    /// Name or path of the field, such as `title` or `items[2].count`.
    pub field: String,
    /// Explanation for a person, such as `is empty`.
    pub message: String,
    /// Position in a JSON body, as a JSON pointer in a URI fragment (RFC 6901, section 6), such as `#/items/2/count`. Empty if
    /// the field is elsewhere.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
}

impl Failure {
    /// Creates a failure of this kind. `what` names the thing it is about, such as `todo`.
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
            step: None,
            problem: None,
            not_undone: Vec::new(),
            error: None,
        }))
    }

    /// 400: the request makes no sense.
    pub fn invalid(what: &'static str) -> Self {
        Self::new(FailureKind::Invalid, what)
    }

    /// 401: the caller is not authenticated.
    pub fn unauthorized(what: &'static str) -> Self {
        Self::new(FailureKind::Unauthorized, what)
    }

    /// 403: the caller is not allowed to do this.
    pub fn forbidden(what: &'static str) -> Self {
        Self::new(FailureKind::Forbidden, what)
    }

    /// 404: there is no such thing.
    pub fn not_found(what: &'static str, key: impl fmt::Display) -> Self {
        Self::new(FailureKind::NotFound, what).key(key)
    }

    /// 409: the request conflicts with the current state.
    pub fn conflict(what: &'static str, key: impl fmt::Display) -> Self {
        Self::new(FailureKind::Conflict, what).key(key)
    }

    /// 422: the request is well-formed, but its content is invalid. [`Failure::field`] names the invalid fields.
    ///
    /// ```
    /// use zerver_engine::Failure;
    /// let failure = Failure::unprocessable("todo").field("title", "is empty").field("due", "is not a date");
    /// assert_eq!(failure.to_string(), "unprocessable todo: title is empty; due is not a date");
    /// ```
    pub fn unprocessable(what: &'static str) -> Self {
        Self::new(FailureKind::Unprocessable, what)
    }

    /// 410: the thing existed, and will not come back.
    pub fn gone(what: &'static str, key: impl fmt::Display) -> Self {
        Self::new(FailureKind::Gone, what).key(key)
    }

    /// 412: a condition of the request, such as `If-Match`, does not hold.
    pub fn precondition_failed(what: &'static str, key: impl fmt::Display) -> Self {
        Self::new(FailureKind::PreconditionFailed, what).key(key)
    }

    /// 415: the media type of the body is not supported.
    pub fn unsupported_media_type(what: &'static str) -> Self {
        Self::new(FailureKind::UnsupportedMediaType, what)
    }

    /// 429: too many requests. The client may retry after `retry_after_s` seconds.
    pub fn limited(what: &'static str, retry_after_s: u32) -> Self {
        Self::new(FailureKind::Limited, what).retry_after(retry_after_s)
    }

    /// 500: a bug in this service.
    pub fn internal(what: &'static str) -> Self {
        Self::new(FailureKind::Internal, what)
    }

    /// 502: a service that this one depends on gave an unusable response.
    pub fn bad_upstream(what: &'static str) -> Self {
        Self::new(FailureKind::BadUpstream, what)
    }

    /// 503: a service that this one depends on did not respond.
    pub fn unavailable(what: &'static str) -> Self {
        Self::new(FailureKind::Unavailable, what)
    }

    /// Sets the key of the thing it is about.
    #[must_use]
    pub fn key(mut self, key: impl fmt::Display) -> Self {
        self.0.key = key.to_string();
        self
    }

    /// Sets an explanation for a person. It is part of the response, so leave out everything that the client must not
    /// see.
    #[must_use]
    pub fn message(mut self, message: impl fmt::Display) -> Self {
        self.0.message = message.to_string();
        self
    }

    /// Adds an invalid field of the request. It is part of the response.
    #[must_use]
    pub fn field(self, field: impl fmt::Display, message: impl fmt::Display) -> Self {
        self.field_at(String::new(), field, message)
    }

    /// Adds an invalid field of a JSON body, at this pointer.
    pub(crate) fn field_at(
        mut self,
        pointer: String,
        field: impl fmt::Display,
        message: impl fmt::Display,
    ) -> Self {
        let (field, message) = (field.to_string(), message.to_string());
        self.0.fields.push(FieldFailure { field, message, pointer });
        self
    }

    /// Sets the number of seconds after which a retry makes sense, as the response's `Retry-After`.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.header("retry-after", seconds)
    }

    /// Sets a header of the response, such as `allow` of a 405 or `www-authenticate` of a 401. It replaces an earlier
    /// one of the same name. A name or value that HTTP does not allow is ignored.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.0.headers.push((name, value.to_string()));
        self
    }

    /// Sets the problem type of the response: a URI that identifies it, and a title for a person (RFC 9457, section
    /// 3.1). The default is `about:blank` with the phrase of the status.
    #[must_use]
    pub fn problem_type(mut self, uri: &'static str, title: &'static str) -> Self {
        self.0.problem = Some(ProblemType { uri, title });
        self
    }

    /// Adds an error that caused it, with the error's own sources, up to 16 in all. They are recorded, but not part of
    /// the response.
    #[must_use]
    pub fn because(mut self, cause: &(dyn std::error::Error + 'static)) -> Self {
        let chain = std::iter::successors(Some(cause), |error| error.source());
        self.0.causes.extend(chain.map(ToString::to_string).take(16));
        self
    }

    /// Adds an error that caused it, as [`Failure::because`] does, and keeps the error itself for
    /// [`Failure::error`].
    #[must_use]
    pub fn caused_by<E: std::error::Error + Send + Sync + 'static>(mut self, error: E) -> Self {
        self = self.because(&error);
        self.with_error(error)
    }

    /// Keeps an error whose text is among the causes already.
    pub(crate) fn with_error<E: std::error::Error + Send + Sync + 'static>(mut self, error: E) -> Self {
        self.0.error = Some(TypedError(Arc::new(error)));
        self
    }

    /// Adds a cause unless there is one.
    pub(crate) fn or_because(self, cause: &(dyn std::error::Error + 'static)) -> Self {
        if self.0.causes.is_empty() { self.because(cause) } else { self }
    }

    /// Returns the error that caused it, if it is an `E`: one that an effect declares as its error type, or one that
    /// was passed to [`Failure::caused_by`].
    ///
    /// ```
    /// use zerver_engine::Failure;
    /// let number = "x".parse::<u32>().map_err(|error| Failure::invalid("page").caused_by(error));
    /// let failure = number.unwrap_err();
    /// assert!(failure.error::<std::num::ParseIntError>().is_some());
    /// assert!(failure.error::<std::io::Error>().is_none());
    /// ```
    pub fn error<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.0.error.as_ref()?.0.downcast_ref()
    }

    /// Converts an effect's error into the failure that a flow reports unless it handles the error itself.
    pub fn from_effect(kind: &'static str, error: &EffectError) -> Self {
        let failure = match error.kind {
            EffectErrorKind::Timeout => FailureKind::Timeout,
            EffectErrorKind::Unreachable => FailureKind::Unavailable,
            EffectErrorKind::Malformed | EffectErrorKind::TooLarge => FailureKind::BadUpstream,
            EffectErrorKind::Refused | EffectErrorKind::UnknownOutcome => FailureKind::Unavailable,
            EffectErrorKind::Invalid
            | EffectErrorKind::NoInterpreter
            | EffectErrorKind::Internal
            | EffectErrorKind::Failed => FailureKind::Internal,
        };
        Self::new(failure, kind).because(error)
    }

    pub(crate) fn with_call(mut self, number: u32, kind: &'static str) -> Self {
        self.0.call.get_or_insert_with(|| FailedCall { number, kind: kind.into() });
        self
    }

    /// Sets the step at which the request failed, unless it is set.
    pub(crate) fn with_step(mut self, at: u16, name: &str) -> Self {
        self.0.step.get_or_insert_with(|| FailedStep { at: Some(at), name: name.to_owned().into() });
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> FailureKind {
        self.0.kind
    }

    /// Returns the name of the thing it is about.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// Returns the key of the thing it is about; may be empty.
    pub fn which(&self) -> &str {
        &self.0.key
    }

    /// Returns the HTTP status of its kind.
    pub fn status(&self) -> u16 {
        self.0.kind.status()
    }

    /// Returns the text set by [`Failure::message`]; may be empty.
    pub fn message_text(&self) -> &str {
        &self.0.message
    }

    /// Returns the fields added by [`Failure::field`], in order.
    pub fn fields(&self) -> &[FieldFailure] {
        &self.0.fields
    }

    /// Returns the errors that caused it, the nearest first.
    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }

    /// Returns the name of the step at which the request failed. Only the failure that a recovery step reads has one.
    pub fn step(&self) -> Option<&str> {
        self.0.step.as_ref().map(|step| &*step.name)
    }

    /// Returns the kind of the effect that failed, such as `http`, if it was an effect.
    pub fn effect(&self) -> Option<&str> {
        self.0.call.as_ref().map(|call| &*call.kind)
    }

    /// Adds an effect that could not be undone, with the reason.
    pub(crate) fn with_not_undone(mut self, effect: &str, reason: &Self) -> Self {
        self.0.causes.push(format!("not undone: {effect}: {reason}"));
        self.0.causes.extend(reason.causes().iter().cloned());
        self.0.not_undone.push(effect.to_owned());
        self
    }

    /// Returns the kinds of the effects that could not be undone. They are part of the response.
    pub fn not_undone(&self) -> &[String] {
        &self.0.not_undone
    }

    pub(crate) fn problem(&self) -> Option<ProblemType> {
        self.0.problem
    }

    /// Returns the failure as it is recorded. `step` is the step that failed, unless the failure knows it.
    pub(crate) fn info(&self, step: Option<u16>) -> FailureInfo {
        let Inner { kind, what, key, message, fields, causes, call, step: own_step, .. } = &*self.0;
        let texts = fields.iter().map(|FieldFailure { field, message, .. }| format!("{field} {message}"));
        let message = Some(message.clone()).filter(|message| !message.is_empty());
        FailureInfo {
            kind: *kind,
            what: what.clone(),
            key: key.clone(),
            message: message.into_iter().chain(texts).collect::<Vec<_>>().join("; "),
            step: own_step.as_ref().and_then(|step| step.at).or(step),
            call: call.as_ref().map(|call| call.number),
            causes: causes.clone(),
        }
    }

    /// Returns the headers set by [`Failure::header`].
    pub(crate) fn headers(&self) -> &[(&'static str, String)] {
        &self.0.headers
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.info(None), f)
    }
}

impl std::error::Error for Failure {}
