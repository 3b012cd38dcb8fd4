//! Values of parameters and cells, in a form that no driver determines.

mod calendar;
mod param;
mod text_form;
mod uuid;

use std::fmt;

use bytes::Bytes;

pub use calendar::{Date, Time, Timestamp};
pub use param::Param;
pub use uuid::Uuid;

/// Error for text that is not a value of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ParseValueError {
    text: String,
    expected: &'static str,
}

impl ParseValueError {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), expected }
    }
}

/// Value of a parameter or a cell. Floats are equal if their bits are equal, so that NaN equals itself.
#[derive(Debug, Clone)]
pub enum SqlValue {
    /// NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer of up to 64 bits.
    Int(i64),
    /// A float of 32 or 64 bits; NaN and infinities are allowed.
    Float(f64),
    /// A number of any precision, as decimal text: `12.50`, `NaN`.
    Numeric(String),
    /// Text.
    Text(String),
    /// A byte string.
    Bytes(Bytes),
    /// A time in UTC. One without a time zone counts as UTC.
    Timestamp(Timestamp),
    /// A day.
    Date(Date),
    /// A time of day.
    Time(Time),
    /// A UUID.
    Uuid(Uuid),
    /// JSON as text, so that its numbers keep their precision.
    Json(String),
    /// A list.
    Array(Vec<Self>),
}

impl PartialEq for SqlValue {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::Date(a), Self::Date(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            (Self::Uuid(a), Self::Uuid(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Numeric(a), Self::Numeric(b))
            | (Self::Text(a), Self::Text(b))
            | (Self::Json(a), Self::Json(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for SqlValue {}

impl SqlValue {
    /// Returns the name of the type: `int`, `text`.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Numeric(_) => "numeric",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Timestamp(_) => "timestamp",
            Self::Date(_) => "date",
            Self::Time(_) => "time",
            Self::Uuid(_) => "uuid",
            Self::Json(_) => "json",
            Self::Array(_) => "array",
        }
    }

    /// Returns the most bytes that the value takes in a recording.
    pub(super) fn recorded_len(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) => 1,
            Self::Int(_) | Self::Float(_) => 11,
            Self::Text(text) => text.len() + 6,
            Self::Bytes(bytes) => bytes.len() + 6,
            Self::Numeric(text) | Self::Json(text) => text.len() + 16,
            Self::Timestamp(_) | Self::Date(_) | Self::Time(_) | Self::Uuid(_) => 52,
            Self::Array(items) => 2 + items.iter().map(Self::recorded_len).sum::<usize>(),
        }
    }
}

/// Writes the value as text, shortened to a line, for errors.
impl fmt::Display for SqlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 60;
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Numeric(text) | Self::Text(text) | Self::Json(text) => {
                let shown: String = text.chars().take(SHOWN).collect();
                let rest = if shown.len() < text.len() { ".." } else { "" };
                write!(f, "{shown:?}{rest}")
            }
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Timestamp(value) => value.fmt(f),
            Self::Date(value) => value.fmt(f),
            Self::Time(value) => value.fmt(f),
            Self::Uuid(value) => value.fmt(f),
            Self::Array(items) => write!(f, "an array of {}", items.len()),
        }
    }
}
