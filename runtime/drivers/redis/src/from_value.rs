//! Answers as types.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::argument::Json;
use crate::reply::RedisValue;

/// An answer does not fit the type as which it is read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer is {found}, not {expected}")]
pub struct UnexpectedValue {
    found: String,
    expected: &'static str,
}

impl UnexpectedValue {
    fn new(found: &RedisValue, expected: &'static str) -> Self {
        // The value itself may be a secret.
        let found = match found {
            RedisValue::Nil => "nil".to_owned(),
            RedisValue::Int(_) => "an integer".to_owned(),
            RedisValue::Bytes(bytes) => format!("a string of {} bytes", bytes.len()),
            RedisValue::List(items) => format!("a list of {} items", items.len()),
            RedisValue::Error(error) => error.to_string(),
        };
        Self { found, expected }
    }
}

/// Types as which an answer can be read.
pub trait FromRedis: Sized {
    /// Converts an answer.
    ///
    /// # Errors
    /// If it does not fit.
    fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue>;
}

impl FromRedis for RedisValue {
    fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue> {
        Ok(value.clone())
    }
}

/// Reads any answer except an error.
impl FromRedis for () {
    fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue> {
        match value {
            RedisValue::Error(_) => Err(UnexpectedValue::new(value, "a success")),
            _ => Ok(()),
        }
    }
}

impl FromRedis for Bytes {
    fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue> {
        match value {
            RedisValue::Bytes(bytes) => Ok(bytes.clone()),
            RedisValue::Int(number) => Ok(Self::from(number.to_string())),
            other => Err(UnexpectedValue::new(other, "a string")),
        }
    }
}

impl FromRedis for String {
    fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue> {
        let bytes = Bytes::from_redis(value)?;
        match str::from_utf8(&bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(UnexpectedValue::new(value, "UTF-8 text; read it as Bytes")),
        }
    }
}

fn parsed<T: std::str::FromStr>(value: &RedisValue, expected: &'static str) -> Result<T, UnexpectedValue> {
    let text = match value {
        RedisValue::Bytes(bytes) => str::from_utf8(bytes).ok(),
        _ => None,
    };
    text.and_then(|text| text.parse().ok()).ok_or_else(|| UnexpectedValue::new(value, expected))
}

macro_rules! integers {
    ($($integer:ty)+) => {$(
        impl FromRedis for $integer {
            fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue> {
                const EXPECTED: &str = concat!("a number of type ", stringify!($integer));
                match value {
                    RedisValue::Int(number) => {
                        Self::try_from(*number).map_err(|_| UnexpectedValue::new(value, EXPECTED))
                    }
                    other => parsed(other, EXPECTED),
                }
            }
        }
    )+};
}

integers!(u16 u32 u64 usize i16 i32 i64 isize);

impl FromRedis for f64 {
    fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue> {
        match value {
            RedisValue::Int(number) => Ok(*number as Self),
            other => parsed(other, "a number"),
        }
    }
}

impl FromRedis for bool {
    fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue> {
        match value {
            RedisValue::Int(number @ (0 | 1)) => Ok(*number == 1),
            other => Err(UnexpectedValue::new(other, "0 or 1")),
        }
    }
}

impl<T: FromRedis> FromRedis for Option<T> {
    fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue> {
        match value {
            RedisValue::Nil => Ok(None),
            other => T::from_redis(other).map(Some),
        }
    }
}

fn items<'v>(value: &'v RedisValue, expected: &'static str) -> Result<&'v [RedisValue], UnexpectedValue> {
    match value {
        RedisValue::List(items) => Ok(items),
        RedisValue::Nil => Ok(&[]),
        other => Err(UnexpectedValue::new(other, expected)),
    }
}

impl<T: FromRedis> FromRedis for Vec<T> {
    fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue> {
        items(value, "a list")?.iter().map(T::from_redis).collect()
    }
}

impl<A: FromRedis, B: FromRedis> FromRedis for (A, B) {
    fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue> {
        match items(value, "a pair")? {
            [a, b] => Ok((A::from_redis(a)?, B::from_redis(b)?)),
            _ => Err(UnexpectedValue::new(value, "a pair")),
        }
    }
}

/// Reads a list in which fields and values alternate.
fn pairs<K: FromRedis, V: FromRedis, M: FromIterator<(K, V)>>(
    value: &RedisValue,
) -> Result<M, UnexpectedValue> {
    const EXPECTED: &str = "a list of fields and values";
    let (pairs, rest) = items(value, EXPECTED)?.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(UnexpectedValue::new(value, EXPECTED));
    }
    pairs.iter().map(|[field, value]| Ok((K::from_redis(field)?, V::from_redis(value)?))).collect()
}

impl<K: FromRedis + Ord, V: FromRedis> FromRedis for BTreeMap<K, V> {
    fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue> {
        pairs(value)
    }
}

impl<K: FromRedis + Eq + Hash, V: FromRedis, S: std::hash::BuildHasher + Default> FromRedis
    for HashMap<K, V, S>
{
    fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue> {
        pairs(value)
    }
}

impl<T: DeserializeOwned> FromRedis for Json<T> {
    fn from_redis(value: &RedisValue) -> Result<Self, UnexpectedValue> {
        let bytes = Bytes::from_redis(value)?;
        serde_json::from_slice(&bytes).map(Json).map_err(|_| UnexpectedValue::new(value, "JSON of this type"))
    }
}
