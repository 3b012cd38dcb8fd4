//! Terms about fields that a summary has.

use zerver_trace::{Class, RequestId, Summary, is_client_error};

use super::condition::Term;
use super::field::Field;
use super::lexer::Operator;
use super::value::{Parsed, State, Value};

/// The fields of a request that a list knows without reading its trace.
pub trait RequestFields {
    /// Slug of the flow.
    fn flow(&self) -> &str;
    /// Method.
    fn method(&self) -> &str;
    /// Path without the query.
    fn path(&self) -> &str;
    /// Authority of the target, or `None` if only the trace has it.
    fn host(&self) -> Option<&str>;
    /// Word for the outcome.
    fn outcome(&self) -> &str;
    /// Status of the response, or 0.
    fn status(&self) -> u16;
    /// Priority class.
    fn class(&self) -> Class;
    /// Worker of the connection, if known.
    fn worker(&self) -> Option<u16>;
    /// Request id.
    fn id(&self) -> RequestId;
    /// Time from the arrival of the head to the response, in nanoseconds.
    fn duration_ns(&self) -> u64;
    /// Start, in nanoseconds since the Unix epoch.
    fn started_unix_ns(&self) -> u64;
    /// True if the request failed.
    fn is_failed(&self) -> bool;

    /// Returns true if a word without a field fits: by default, if the path or the flow contains it.
    fn fits_word(&self, word: &str) -> bool {
        contains(self.path(), word) || contains(self.flow(), word)
    }
}

impl RequestFields for Summary {
    fn flow(&self) -> &str {
        &self.flow
    }
    fn method(&self) -> &str {
        &self.method
    }
    fn path(&self) -> &str {
        &self.path
    }
    fn host(&self) -> Option<&str> {
        Some(&self.authority)
    }
    fn outcome(&self) -> &str {
        &self.outcome
    }
    fn status(&self) -> u16 {
        self.status
    }
    fn class(&self) -> Class {
        self.class
    }
    fn worker(&self) -> Option<u16> {
        self.worker
    }
    fn id(&self) -> RequestId {
        self.id
    }
    fn duration_ns(&self) -> u64 {
        self.duration_ns
    }
    fn started_unix_ns(&self) -> u64 {
        self.started_unix_ns
    }
    fn is_failed(&self) -> bool {
        self.is_failed
    }
}

/// Returns whether the term holds, or `None` if only the trace can tell.
pub(super) fn matches(term: &Term, request: &dyn RequestFields) -> Option<bool> {
    let text = |text: &str| Some(term.fits_text(text));
    match &term.field {
        Field::Word => Some(term.any_value(|value| request.fits_word(&value.text))),
        Field::Flow => text(request.flow()),
        Field::Method => text(request.method()),
        Field::Path => text(request.path()),
        Field::Host => request.host().map(|host| term.fits_text(host)),
        Field::Outcome => text(request.outcome()),
        Field::Class => text(request.class().as_str()),
        Field::Id => {
            let id = format!("{:032x}", request.id().as_u128());
            Some(term.any_value(|value| id.starts_with(&value.text.to_ascii_lowercase().replace('-', ""))))
        }
        Field::Worker => Some(request.worker().is_some_and(|worker| term.fits_number(f64::from(worker)))),
        Field::Took => Some(term.fits_nanos(request.duration_ns())),
        Field::Status => Some(term.fits_status(request.status())),
        Field::Is => {
            let status = request.status();
            let has_succeeded =
                || !request.is_failed() && request.outcome() == "done" && matches!(status, 200..=399);
            Some(term.any_value(|value| match value.parsed {
                Parsed::State(State::Failed) => request.is_failed(),
                Parsed::State(State::Succeeded) => has_succeeded(),
                Parsed::State(State::ClientError) => is_client_error(status),
                Parsed::State(State::ServerError) => status >= 500,
                _ => false,
            }))
        }
        Field::Since => {
            Some(term.any_value(
                |value| matches!(value.parsed, Parsed::Time(ns) if request.started_unix_ns() >= ns),
            ))
        }
        Field::Until => {
            Some(term.any_value(
                |value| matches!(value.parsed, Parsed::Time(ns) if request.started_unix_ns() < ns),
            ))
        }
        _ => None,
    }
}

impl Term {
    /// Returns true if `fits` holds for one of the values; with `!=`, if it holds for none.
    pub(super) fn any_value(&self, fits: impl FnMut(&Value) -> bool) -> bool {
        self.values.iter().any(fits) != (self.operator == Operator::NotEqual)
    }

    /// Compares a text: by equality or, ignoring case, by containment.
    pub(super) fn fits_text(&self, text: &str) -> bool {
        self.any_value(|value| match self.operator {
            Operator::Fits => contains(text, &value.text),
            _ => text == value.text,
        })
    }

    pub(super) fn fits_number(&self, number: f64) -> bool {
        self.any_value(|value| matches!(value.parsed, Parsed::Number(given) if self.compares(number, given)))
    }

    /// Compares a duration in nanoseconds, or a size in bytes.
    pub(super) fn fits_nanos(&self, amount: u64) -> bool {
        self.any_value(|value| match value.parsed {
            Parsed::Duration(given) | Parsed::Bytes(given) => self.compares(amount, given),
            _ => false,
        })
    }

    fn fits_status(&self, status: u16) -> bool {
        use zerver_trace::StatusFilter::{Class, Code};
        self.any_value(|value| {
            let Parsed::Status(filter) = value.parsed else { return false };
            let (status, given) = match filter {
                Code(code) => (status, code),
                Class(digit) => (status / 100, digit),
            };
            self.compares(status, given)
        })
    }

    /// Compares in the way of the operator. Equality with several values is left to [`Term::any_value`].
    pub(super) fn compares<T: PartialOrd>(&self, left: T, right: T) -> bool {
        match self.operator {
            Operator::Fits | Operator::Equal | Operator::NotEqual => left == right,
            Operator::Greater => left > right,
            Operator::GreaterOrEqual => left >= right,
            Operator::Less => left < right,
            Operator::LessOrEqual => left <= right,
        }
    }
}

/// Returns true if the text contains the part, ignoring case.
pub(super) fn contains(text: &str, part: &str) -> bool {
    if part.is_empty() {
        return true;
    }
    if part.is_ascii() {
        let (text, part) = (text.as_bytes(), part.as_bytes());
        return text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    }
    text.to_lowercase().contains(&part.to_lowercase())
}
