//! What went wrong with a request, in terms of effects. Messages name host and cause, and hold no credentials: of the
//! URL they have only the host, and of headers only names.

use std::error::Error;
use std::io;

use hyper_util::client::legacy;
use zerver_engine::{EffectError, EffectErrorKind};

pub(super) fn invalid(what: impl Into<String>) -> EffectError {
    EffectError::new(EffectErrorKind::Invalid, what)
}

pub(super) fn too_large(host: &str, limit: u64) -> EffectError {
    EffectError::new(EffectErrorKind::TooLarge, format!("{host}: a body over {limit} bytes"))
}

/// Of a request that got no head of a reply.
pub(super) fn of_request(host: &str, error: &legacy::Error) -> EffectError {
    let causes = causes(error);
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

/// Of a reply whose body did not come to its end.
pub(super) fn of_body(host: &str, error: &hyper::Error) -> EffectError {
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
        // What hyper says of chunks that are none.
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => EffectErrorKind::Malformed,
        _ => EffectErrorKind::Unreachable,
    }
}

/// The error and what caused it, outermost first; hyper-util's own words say nothing that its causes do not.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for error in chain(error).filter(|error| error.downcast_ref::<legacy::Error>().is_none()) {
        let word = error.to_string();
        if !words.last().is_some_and(|last| last.ends_with(&word)) {
            words.push(word);
        }
    }
    words.join(": ")
}

/// An `io::Error` made of another error gives as its source that error's source, and skips the error.
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
