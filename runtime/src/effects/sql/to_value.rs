//! Types that can be bound to parameters.

use std::borrow::Cow;
use std::time::SystemTime;

use bytes::Bytes;
use serde::Serialize;
use zerver_engine::RequestId;

use super::from_value::Json;
use super::value::{Date, Param, SqlValue, Time, Timestamp, Uuid};

/// A type that can be bound to a parameter.
pub trait ToSqlValue {
    /// Converts to a value.
    fn to_sql_value(self) -> SqlValue;
}

impl<T: ToSqlValue> From<T> for Param {
    fn from(value: T) -> Self {
        Self::Value(value.to_sql_value())
    }
}

/// Implements [`ToSqlValue`] with one expression for each type.
macro_rules! values {
    ($($type:ty: $value:ident => $to:expr;)+) => {$(
        impl ToSqlValue for $type {
            fn to_sql_value(self) -> SqlValue {
                let $value = self;
                $to
            }
        }
    )+};
}

values! {
    SqlValue: value => value;
    bool: value => SqlValue::Bool(value);
    i8: value => SqlValue::Int(value.into());
    i16: value => SqlValue::Int(value.into());
    i32: value => SqlValue::Int(value.into());
    i64: value => SqlValue::Int(value);
    u16: value => SqlValue::Int(value.into());
    u32: value => SqlValue::Int(value.into());
    u64: value => whole(value.into());
    usize: value => whole(value as i128);
    isize: value => whole(value as i128);
    i128: value => whole(value);
    f32: value => SqlValue::Float(value.into());
    f64: value => SqlValue::Float(value);
    &str: text => SqlValue::Text(text.to_owned());
    String: text => SqlValue::Text(text);
    &String: text => SqlValue::Text(text.clone());
    Cow<'_, str>: text => SqlValue::Text(text.into_owned());
    Vec<u8>: bytes => SqlValue::Bytes(bytes.into());
    &[u8]: bytes => SqlValue::Bytes(Bytes::copy_from_slice(bytes));
    Bytes: bytes => SqlValue::Bytes(bytes);
    Timestamp: time => SqlValue::Timestamp(time);
    SystemTime: time => SqlValue::Timestamp(time.into());
    Date: date => SqlValue::Date(date);
    Time: time => SqlValue::Time(time);
    Uuid: uuid => SqlValue::Uuid(uuid);
    RequestId: id => SqlValue::Uuid(id.into());
    serde_json::Value: json => SqlValue::Json(json.to_string());
    &serde_json::Value: json => SqlValue::Json(json.to_string());
}

/// Returns an integer as one of the database if it fits, or else as a number of any precision.
fn whole(value: i128) -> SqlValue {
    i64::try_from(value).map_or_else(|_| SqlValue::Numeric(value.to_string()), SqlValue::Int)
}

/// `None` is NULL.
impl<T: ToSqlValue> ToSqlValue for Option<T> {
    fn to_sql_value(self) -> SqlValue {
        self.map_or(SqlValue::Null, ToSqlValue::to_sql_value)
    }
}

impl<T: ToSqlValue> ToSqlValue for Vec<T> {
    fn to_sql_value(self) -> SqlValue {
        SqlValue::Array(self.into_iter().map(ToSqlValue::to_sql_value).collect())
    }
}

impl<T: ToSqlValue + Clone> ToSqlValue for &[T] {
    fn to_sql_value(self) -> SqlValue {
        SqlValue::Array(self.iter().cloned().map(ToSqlValue::to_sql_value).collect())
    }
}

impl<T: ToSqlValue, const N: usize> ToSqlValue for [T; N] {
    fn to_sql_value(self) -> SqlValue {
        SqlValue::Array(self.into_iter().map(ToSqlValue::to_sql_value).collect())
    }
}

/// A value whose `Serialize` fails becomes NULL; only maps with keys that are not text, and own implementations, fail.
impl<T: Serialize> ToSqlValue for Json<T> {
    fn to_sql_value(self) -> SqlValue {
        serde_json::to_string(&self.0).map_or(SqlValue::Null, SqlValue::Json)
    }
}
