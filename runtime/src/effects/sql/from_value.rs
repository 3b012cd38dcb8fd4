//! Types that cells can be read as.

use std::time::SystemTime;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::value::{Date, SqlValue, Time, Timestamp, Uuid};

/// A type that a cell can be read as.
///
/// Integers are checked for their range. An integer is also read from a `numeric` without a fraction, which is what
/// `sum` returns in PostgreSQL, and a float from any number. Times, UUIDs and JSON are also read from text, which is how
/// SQLite stores them.
pub trait FromSqlValue: Sized {
    /// Reads a cell.
    ///
    /// # Errors
    /// The reason, such as `expected text`.
    fn from_sql_value(value: &SqlValue) -> Result<Self, String>;
}

/// JSON of a cell or a parameter, as a type of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Json<T>(pub T);

/// NULL is `None`.
impl<T: FromSqlValue> FromSqlValue for Option<T> {
    fn from_sql_value(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Null => Ok(None),
            value => T::from_sql_value(value).map(Some),
        }
    }
}

impl<T: FromSqlValue> FromSqlValue for Vec<T> {
    fn from_sql_value(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Array(items) => items.iter().map(T::from_sql_value).collect(),
            value => Err(unexpected("an array", value)),
        }
    }
}

impl FromSqlValue for SqlValue {
    fn from_sql_value(value: &SqlValue) -> Result<Self, String> {
        Ok(value.clone())
    }
}

fn unexpected(expected: &str, value: &SqlValue) -> String {
    match value {
        SqlValue::Null => format!("expected {expected}; a field of type Option accepts NULL"),
        value => format!("expected {expected}, not {}", value.type_name()),
    }
}

macro_rules! integers {
    ($($type:ident)+) => {$(
        impl FromSqlValue for $type {
            fn from_sql_value(value: &SqlValue) -> Result<Self, String> {
                let number = match value {
                    SqlValue::Int(number) => Self::try_from(*number).ok(),
                    SqlValue::Numeric(text) => {
                        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
                        let is_whole = fraction.bytes().all(|digit| digit == b'0');
                        is_whole.then(|| whole.parse().ok()).flatten()
                    }
                    value => return Err(unexpected("an integer", value)),
                };
                number.ok_or_else(|| concat!("it does not fit ", stringify!($type)).to_owned())
            }
        }
    )+};
}

integers!(i8 i16 i32 i64 i128 u16 u32 u64 u128 usize isize);

macro_rules! floats {
    ($($type:ident)+) => {$(
        impl FromSqlValue for $type {
            fn from_sql_value(value: &SqlValue) -> Result<Self, String> {
                match value {
                    SqlValue::Float(number) => Ok(*number as Self),
                    SqlValue::Int(number) => Ok(*number as Self),
                    SqlValue::Numeric(text) => text.parse().map_err(|_| unexpected("a number", value)),
                    value => Err(unexpected("a number", value)),
                }
            }
        }
    )+};
}

floats!(f32 f64);

/// Implements [`FromSqlValue`] by patterns, each with the value that it gives.
macro_rules! by_pattern {
    ($type:ty, $expected:literal, $($pattern:pat $(if $guard:expr)? => $value:expr),+ $(,)?) => {
        impl FromSqlValue for $type {
            fn from_sql_value(value: &SqlValue) -> Result<Self, String> {
                match value {
                    $($pattern $(if $guard)? => Ok($value),)+
                    value => Err(unexpected($expected, value)),
                }
            }
        }
    };
}

by_pattern!(bool, "a boolean",
    SqlValue::Bool(value) => *value,
    SqlValue::Int(0) => false,
    SqlValue::Int(1) => true,
);
by_pattern!(String, "text",
    SqlValue::Text(text) | SqlValue::Numeric(text) | SqlValue::Json(text) => text.clone(),
);
by_pattern!(Bytes, "bytes", SqlValue::Bytes(bytes) => bytes.clone());
by_pattern!(Vec<u8>, "bytes", SqlValue::Bytes(bytes) => bytes.to_vec());
by_pattern!(Timestamp, "a timestamp",
    SqlValue::Timestamp(time) => *time,
    SqlValue::Text(text) => text.parse().map_err(|error: super::ParseValueError| error.to_string())?,
);
by_pattern!(Date, "a date",
    SqlValue::Date(date) => *date,
    SqlValue::Text(text) => text.parse().map_err(|error: super::ParseValueError| error.to_string())?,
);
by_pattern!(Time, "a time of day",
    SqlValue::Time(time) => *time,
    SqlValue::Text(text) => text.parse().map_err(|error: super::ParseValueError| error.to_string())?,
);
by_pattern!(Uuid, "a UUID",
    SqlValue::Uuid(uuid) => *uuid,
    SqlValue::Text(text) => text.parse().map_err(|error: super::ParseValueError| error.to_string())?,
    SqlValue::Bytes(bytes) if bytes.len() == 16 => {
        Self(<[u8; 16]>::try_from(&**bytes).map_err(|error| error.to_string())?)
    },
);

impl FromSqlValue for SystemTime {
    fn from_sql_value(value: &SqlValue) -> Result<Self, String> {
        let time = Timestamp::from_sql_value(value)?;
        time.to_system_time().ok_or_else(|| "it is out of the range of the system's time".to_owned())
    }
}

impl<T: DeserializeOwned> FromSqlValue for Json<T> {
    fn from_sql_value(value: &SqlValue) -> Result<Self, String> {
        match value {
            SqlValue::Json(text) | SqlValue::Text(text) => {
                serde_json::from_str(text).map(Self).map_err(|error| error.to_string())
            }
            value => Err(unexpected("JSON", value)),
        }
    }
}

impl FromSqlValue for serde_json::Value {
    fn from_sql_value(value: &SqlValue) -> Result<Self, String> {
        Json::from_sql_value(value).map(|Json(json)| json)
    }
}
