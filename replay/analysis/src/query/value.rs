//! Values of terms: what is compared with a field.

use zerver_trace::StatusFilter;
use zerver_trace::duration::HumanDuration;

use super::field::ValueType;
use super::time_point::QueryClock;

/// A value of a term.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    /// The text of the value.
    pub(super) text: String,
    pub(super) parsed: Parsed,
}

/// The meaning of a value, by the type of its field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Parsed {
    Text,
    Number(f64),
    /// A duration in nanoseconds.
    Duration(u64),
    /// A time in nanoseconds since the Unix epoch.
    Time(u64),
    /// A size in bytes.
    Bytes(u64),
    Status(StatusFilter),
    State(State),
}

/// State of a request, as `is:` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// A status of 500 or above, or an outcome other than done.
    Failed,
    /// A status of 2xx or 3xx that a step gave.
    Succeeded,
    /// A status of 4xx.
    ClientError,
    /// A status of 5xx.
    ServerError,
}

/// Names of the states.
pub(super) const STATE_NAMES: [&str; 4] = [STATES[0].0, STATES[1].0, STATES[2].0, STATES[3].0];

const STATES: [(&str, State); 4] = [
    ("failed", State::Failed),
    ("succeeded", State::Succeeded),
    ("client_error", State::ClientError),
    ("server_error", State::ServerError),
];

/// Units of sizes, in bytes.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("b", 1),
];

impl Value {
    /// Parses a value of a field of this type.
    ///
    /// # Errors
    /// A message that says which values the field takes.
    pub(super) fn parse(text: &str, value_type: ValueType, clock: &QueryClock) -> Result<Self, String> {
        let number = |what| text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or(what);
        let parsed = match value_type {
            ValueType::Text => Parsed::Text,
            // What a program records may be a number or a text.
            ValueType::Any => number("").map_or(Parsed::Text, Parsed::Number),
            ValueType::Number => Parsed::Number(number("expected a number")?),
            ValueType::Duration => Parsed::Duration(text.parse::<HumanDuration>()?.ns),
            ValueType::Time => Parsed::Time(clock.parse(text)?),
            ValueType::Bytes => {
                Parsed::Bytes(bytes(text).ok_or("expected a size, such as 800, 10kB or 2MiB")?)
            }
            ValueType::Status => Parsed::Status(text.parse()?),
            ValueType::State => {
                let state = STATES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
                Parsed::State(
                    state
                        .map(|(_, state)| *state)
                        .ok_or_else(|| format!("expected one of {}", STATE_NAMES.join(", ")))?,
                )
            }
        };
        Ok(Self { text: text.to_owned(), parsed })
    }
}

fn bytes(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let unit = SIZE_UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (digits, factor) =
        unit.map_or((text.as_str(), 1), |(unit, factor)| (&text[..text.len() - unit.len()], *factor));
    let number: f64 = digits.trim_end().parse().ok()?;
    let size = number * factor as f64;
    (0.0..9e18).contains(&size).then_some(size as u64)
}
