//! Terms about fields that a summary has.

use zerver_trace::Summary;

use super::condition::Term;
use super::field::Field;
use super::lexer::Operator;
use super::value::{Parsed, State, Value};

/// Returns whether the term holds, or `None` if the summary lacks its field.
pub(super) fn matches(term: &Term, summary: &Summary) -> Option<bool> {
    let text = |text: &str| Some(term.fits_text(text));
    match &term.field {
        Field::Word => {
            Some(term.any_value(|value| {
                contains(&summary.path, &value.text) || contains(&summary.flow, &value.text)
            }))
        }
        Field::Flow => text(&summary.flow),
        Field::Method => text(&summary.method),
        Field::Path => text(&summary.path),
        Field::Host => text(&summary.authority),
        Field::Outcome => text(&summary.outcome),
        Field::Class => text(summary.class.as_str()),
        Field::Id => {
            let id = format!("{:032x}", summary.id.as_u128());
            Some(term.any_value(|value| id.starts_with(&value.text.to_ascii_lowercase().replace('-', ""))))
        }
        Field::Worker => Some(summary.worker.is_some_and(|worker| term.fits_number(f64::from(worker)))),
        Field::Took => Some(term.fits_nanos(summary.duration_ns)),
        Field::Status => Some(term.fits_status(summary.status)),
        Field::Is => Some(term.any_value(|value| match value.parsed {
            Parsed::State(State::Failed) => summary.is_failed,
            Parsed::State(State::Succeeded) => summary.has_succeeded(),
            Parsed::State(State::ClientError) => (400..500).contains(&summary.status),
            Parsed::State(State::ServerError) => summary.status >= 500,
            _ => false,
        })),
        Field::Since => Some(
            term.any_value(|value| matches!(value.parsed, Parsed::Time(ns) if summary.started_unix_ns >= ns)),
        ),
        Field::Until => Some(
            term.any_value(|value| matches!(value.parsed, Parsed::Time(ns) if summary.started_unix_ns < ns)),
        ),
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
