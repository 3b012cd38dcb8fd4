//! Maps errors of the HTTP client to effect errors. Messages contain the host and the cause but no credentials: no part
//! of the URL besides the host, and no values of headers.

use std::error::Error;
use std::io;

use ::http::Extensions;
use hyper_util::client::legacy;
use zerver_engine::{EffectError, EffectErrorKind};
use zerver_trace::PolicyDecision;

use super::connector::EgressRefused;
use super::tracked_stream::ConnectionUse;
use crate::effects::effect_points::report_decision;

pub(super) fn invalid(message: impl Into<String>) -> EffectError {
    EffectError::new(EffectErrorKind::Invalid, message)
}

pub(super) fn too_large(host: &str, limit: u64) -> EffectError {
    EffectError::new(EffectErrorKind::TooLarge, format!("{host}: a body over {limit} bytes"))
}

/// Returns the error of a request to a host that the service may not reach, and reports the decision.
pub(super) fn refused(error: &EgressRefused) -> EffectError {
    report_decision(PolicyDecision::EgressRefused);
    EffectError::new(EffectErrorKind::Refused, error.to_string())
}

/// Returns true if a request can be sent again because nothing has answered it: its connection had been idle, and was
/// closed at the same time.
pub(super) fn is_keep_alive_race(error: &legacy::Error) -> bool {
    let mut extensions = Extensions::new();
    if let Some(connected) = error.connect_info() {
        connected.get_extras(&mut extensions);
    }
    let Some(connection_use) = extensions.get::<ConnectionUse>() else { return false };
    let has_ended = find::<hyper::Error>(error).is_some_and(hyper::Error::is_incomplete_message);
    let kind = find::<io::Error>(error).map(io::Error::kind);
    let is_reset = matches!(kind, Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe));
    (has_ended || is_reset) && connection_use.was_idle(has_ended)
}

/// Maps the error of a request that failed before the head of a reply arrived.
pub(super) fn request_error(host: &str, error: &legacy::Error) -> EffectError {
    let causes = causes(error);
    if let Some(error) = find::<EgressRefused>(error) {
        return refused(error);
    }
    if !error.is_connect() {
        return EffectError::new(kind(error), format!("{host}: {causes}"));
    }
    let phase = if find::<rustls::Error>(error).is_some() { "TLS" } else { "connecting" };
    let kind = match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::TimedOut) => EffectErrorKind::Timeout,
        _ => EffectErrorKind::Unreachable,
    };
    EffectError::new(kind, format!("{host}: {phase}: {causes}"))
}

/// Maps the error of a reply whose body could not be read to its end.
pub(super) fn body_error(host: &str, error: &hyper::Error) -> EffectError {
    EffectError::new(kind(error), format!("{host}: reading the body: {}", causes(error)))
}

fn kind(error: &(dyn Error + 'static)) -> EffectErrorKind {
    if let Some(error) = find::<hyper::Error>(error) {
        if error.is_parse_too_large() {
            return EffectErrorKind::TooLarge;
        }
        if error.is_parse() {
            return EffectErrorKind::Malformed;
        }
        if error.is_timeout() {
            return EffectErrorKind::Timeout;
        }
    }
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::TimedOut) => EffectErrorKind::Timeout,
        // hyper reports malformed chunks with these kinds.
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => EffectErrorKind::Malformed,
        _ => EffectErrorKind::Unreachable,
    }
}

/// Joins the messages of an error and its causes, outermost first. Messages of hyper-util are omitted, because they add
/// nothing to their causes.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut messages: Vec<String> = Vec::new();
    for error in chain(error).filter(|error| error.downcast_ref::<legacy::Error>().is_none()) {
        let message = error.to_string();
        if !messages.last().is_some_and(|last| last.ends_with(&message)) {
            messages.push(message);
        }
    }
    messages.join(": ")
}

/// Iterates over an error and its causes. The source of an `io::Error` that wraps another error is the source of the
/// wrapped error, which would skip the wrapped error itself.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let cause = |&error: &&'a (dyn Error + 'static)| match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    };
    std::iter::successors(Some(error), cause)
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(|error| error.downcast_ref())
}
