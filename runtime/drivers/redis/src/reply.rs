//! Answers of the server, as they are recorded: values, or an error.

use std::fmt;

use bytes::Bytes;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zerver::prelude::*;

use crate::argument::Recorded;

/// A value that the server returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisValue {
    /// There is no value.
    Nil,
    /// An integer.
    Int(i64),
    /// A string or a status, which can be any bytes. It is recorded as text if it is UTF-8.
    Bytes(Bytes),
    /// A list. Pairs of fields and values are a list, too.
    List(Vec<Self>),
    /// An error in place of one value of a list.
    Error(ServerError),
}

/// An error with which the server answered a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerError {
    /// First word of the error: `WRONGTYPE`, `ERR`.
    pub code: String,
    /// The rest of the error.
    pub message: String,
}

impl ServerError {
    /// Creates an error.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// Returns true if another attempt may succeed: the server is loading its data, is busy with a script, has no memory
    /// left, or is a replica.
    pub fn is_temporary(&self) -> bool {
        self.says_try_another_connection() || matches!(self.code.as_str(), "BUSY" | "TRYAGAIN" | "OOM")
    }

    /// Returns true if this server refuses the command in its present state, but another one, or the same one later, would
    /// perform it. Nothing has been performed.
    pub(crate) fn says_try_another_connection(&self) -> bool {
        matches!(self.code.as_str(), "LOADING" | "READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "NOREPLICAS")
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}: {}", self.code, self.message)
    }
}

impl std::error::Error for ServerError {}

/// The answer to one call: the output of the effect. Tests can use a value or a [`ServerError`] in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply(pub Result<RedisValue, ServerError>);

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(value) => value.fmt(f),
            Err(error) => error.fmt(f),
        }
    }
}

/// Writes integers and short texts, and of other values the kind and size.
impl fmt::Display for RedisValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Int(number) => number.fmt(f),
            Self::Bytes(bytes) => match str::from_utf8(bytes) {
                Ok(text) if text.len() <= SHOWN => f.write_str(text),
                _ => write!(f, "{} bytes", bytes.len()),
            },
            Self::List(items) if items.len() == 1 => f.write_str("1 item"),
            Self::List(items) => write!(f, "{} items", items.len()),
            Self::Error(error) => error.fmt(f),
        }
    }
}

impl Serialize for RedisValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Bytes(bytes) => Recorded(bytes).serialize(serializer),
            Self::List(items) => serializer.collect_seq(items),
            Self::Error(error) => serializer.serialize_newtype_variant("RedisValue", 0, "error", error),
        }
    }
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Ok(value) => value.serialize(serializer),
            Err(error) => serializer.serialize_newtype_variant("RedisValue", 0, "error", error),
        }
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = RedisValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer of Redis")
    }

    fn visit_unit<E>(self) -> Result<RedisValue, E> {
        Ok(RedisValue::Nil)
    }

    fn visit_none<E>(self) -> Result<RedisValue, E> {
        Ok(RedisValue::Nil)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<RedisValue, D::Error> {
        RedisValue::deserialize(deserializer)
    }

    fn visit_i64<E>(self, number: i64) -> Result<RedisValue, E> {
        Ok(RedisValue::Int(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<RedisValue, E> {
        i64::try_from(number).map(RedisValue::Int).map_err(E::custom)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RedisValue, E> {
        self.visit_bytes(text.as_bytes())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<RedisValue, E> {
        Ok(RedisValue::Bytes(Bytes::copy_from_slice(bytes)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RedisValue, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(RedisValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RedisValue, A::Error> {
        match map.next_key::<String>()?.as_deref() {
            Some("error") => map.next_value().map(RedisValue::Error),
            // A bare error, as tests supply it.
            Some("code") => {
                let code = map.next_value()?;
                let message = match map.next_key::<String>()?.as_deref() {
                    Some("message") => map.next_value()?,
                    _ => String::new(),
                };
                Ok(RedisValue::Error(ServerError { code, message }))
            }
            other => Err(A::Error::custom(format_args!("unknown form {other:?} of an answer"))),
        }
    }
}

impl<'de> Deserialize<'de> for RedisValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

impl<'de> Deserialize<'de> for Reply {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match RedisValue::deserialize(deserializer)? {
            RedisValue::Error(error) => Err(error),
            value => Ok(value),
        }))
    }
}

/// Converts an answer of the client.
pub(crate) fn from_client(value: redis::Value) -> Result<RedisValue, EffectError> {
    use redis::Value as Client;
    let pairs = |pairs: Vec<(Client, Client)>| {
        list(pairs.into_iter().flat_map(|(field, value)| [field, value]).collect())
    };
    Ok(match value {
        Client::Nil => RedisValue::Nil,
        Client::Int(number) => RedisValue::Int(number),
        Client::BulkString(bytes) => RedisValue::Bytes(bytes.into()),
        Client::SimpleString(text) | Client::VerbatimString { text, .. } => RedisValue::Bytes(text.into()),
        Client::Okay => RedisValue::Bytes(Bytes::from_static(b"OK")),
        Client::Array(items) | Client::Set(items) => list(items)?,
        Client::Map(map) => pairs(map)?,
        Client::Attribute { data, .. } => from_client(*data)?,
        // Only the third version of the protocol has these, and connections use the second.
        Client::Double(number) => RedisValue::Bytes(number.to_string().into()),
        Client::Boolean(value) => RedisValue::Int(value.into()),
        Client::BigNumber(digits) => RedisValue::Bytes(digits.into()),
        Client::ServerError(error) => RedisValue::Error(server_error(error.code(), error.details())),
        other => {
            let message = format!("an answer of an unknown form: {other:?}");
            return Err(EffectError::new(EffectErrorKind::Malformed, message));
        }
    })
}

fn list(items: Vec<redis::Value>) -> Result<RedisValue, EffectError> {
    items.into_iter().map(from_client).collect::<Result<_, _>>().map(RedisValue::List)
}

/// Creates an error from its parts. The client gives `details` without the code.
pub(crate) fn server_error(code: &str, details: Option<&str>) -> ServerError {
    ServerError::new(code, details.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use zerver::effects::Value;

    use super::*;

    #[test]
    fn answers_are_recorded_without_loss() {
        let replies = [
            Reply(Ok(RedisValue::Nil)),
            Reply(Ok(RedisValue::List(vec![
                RedisValue::Int(i64::MIN),
                RedisValue::Bytes(Bytes::from_static(b"ok")),
                RedisValue::Bytes(Bytes::from_static(b"\xff")),
                RedisValue::Error(ServerError::new("ERR", "in a list")),
            ]))),
            Reply(Err(ServerError::new("WRONGTYPE", "not a list"))),
        ];
        for reply in replies {
            let recorded = Value::from_serialize(&reply).unwrap();
            assert_eq!(recorded.to_typed::<Reply>().as_ref(), Ok(&reply));
        }
        let bare = Value::from_serialize(&ServerError::new("OOM", "full")).unwrap();
        assert_eq!(bare.to_typed::<Reply>().unwrap(), Reply(Err(ServerError::new("OOM", "full"))));
    }
}
