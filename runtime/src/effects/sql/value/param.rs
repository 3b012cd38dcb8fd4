//! Parameters of statements, and the recorded form of parameters and cells.

use std::fmt;

use bytes::Bytes;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Date, SqlValue, Time, Timestamp, Uuid};

/// Parameter of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Param {
    /// A value.
    Value(SqlValue),
    /// A value that recordings seal. Its recorded form has the name `secret`, which the rule for secrets recognizes.
    Secret(SqlValue),
    /// The cell in this column of the first row of an earlier statement of the batch.
    Out {
        /// Number of the statement, from 0.
        statement: u16,
        /// Name of the column.
        column: String,
    },
}

/// Null, booleans, integers, floats, text, bytes and lists are recorded as what they are, the other types as a variant
/// with their name: `{"date": "2026-11-29"}`. Values read and edited as JSON look the same.
impl Serialize for SqlValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = match self {
            Self::Null => return serializer.serialize_unit(),
            Self::Bool(value) => return serializer.serialize_bool(*value),
            Self::Int(value) => return serializer.serialize_i64(*value),
            Self::Float(value) => return serializer.serialize_f64(*value),
            Self::Text(text) => return serializer.serialize_str(text),
            Self::Bytes(bytes) => return serializer.serialize_bytes(bytes),
            Self::Array(items) => return serializer.collect_seq(items),
            Self::Numeric(text) | Self::Json(text) => text,
            Self::Timestamp(value) => &value.to_string(),
            Self::Date(value) => &value.to_string(),
            Self::Time(value) => &value.to_string(),
            Self::Uuid(value) => &value.to_string(),
        };
        serializer.serialize_newtype_variant("SqlValue", 0, self.type_name(), text)
    }
}

impl Serialize for Param {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Secret(value) => serializer.serialize_newtype_variant("Param", 0, "secret", value),
            Self::Out { statement, column } => {
                serializer.serialize_newtype_variant("Param", 1, "out", &(statement, column))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Param {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParamVisitor)
    }
}

impl<'de> Deserialize<'de> for SqlValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Param::deserialize(deserializer)? {
            Param::Value(value) => Ok(value),
            _ => Err(D::Error::custom("a cell is a plain value")),
        }
    }
}

struct ParamVisitor;

impl<'de> Visitor<'de> for ParamVisitor {
    type Value = Param;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a database")
    }

    fn visit_unit<E>(self) -> Result<Param, E> {
        Ok(Param::Value(SqlValue::Null))
    }

    fn visit_none<E>(self) -> Result<Param, E> {
        Ok(Param::Value(SqlValue::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Param, D::Error> {
        Param::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Param, E> {
        Ok(Param::Value(SqlValue::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Param, E> {
        Ok(Param::Value(SqlValue::Int(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Param, E> {
        i64::try_from(value).map(|value| Param::Value(SqlValue::Int(value))).map_err(E::custom)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Param, E> {
        Ok(Param::Value(SqlValue::Float(value)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Param, E> {
        Ok(Param::Value(SqlValue::Text(text.to_owned())))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Param, E> {
        Ok(Param::Value(SqlValue::Bytes(Bytes::copy_from_slice(bytes))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Param, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Param::Value(SqlValue::Array(array)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Param, A::Error> {
        let name: String = map.next_key()?.ok_or_else(|| A::Error::custom("an object without a type"))?;
        match name.as_str() {
            "secret" => return Ok(Param::Secret(map.next_value()?)),
            "out" => {
                let (statement, column) = map.next_value()?;
                return Ok(Param::Out { statement, column });
            }
            _ => {}
        }
        let text: String = map.next_value()?;
        let value = match name.as_str() {
            "numeric" => SqlValue::Numeric(text),
            "json" => SqlValue::Json(text),
            "timestamp" => SqlValue::Timestamp(parse::<Timestamp, _>(&text)?),
            "date" => SqlValue::Date(parse::<Date, _>(&text)?),
            "time" => SqlValue::Time(parse::<Time, _>(&text)?),
            "uuid" => SqlValue::Uuid(parse::<Uuid, _>(&text)?),
            other => return Err(A::Error::custom(format_args!("unknown type {other} of a value"))),
        };
        Ok(Param::Value(value))
    }
}

fn parse<T: std::str::FromStr, E: Error>(text: &str) -> Result<T, E>
where
    T::Err: fmt::Display,
{
    text.parse().map_err(E::custom)
}

#[cfg(test)]
mod tests {
    use zerver_trace::Value;

    use super::*;

    fn all_types() -> Vec<SqlValue> {
        vec![
            SqlValue::Null,
            SqlValue::Bool(true),
            SqlValue::Int(i64::MIN),
            SqlValue::Int(i64::MAX),
            SqlValue::Float(-0.0),
            SqlValue::Float(f64::NAN),
            SqlValue::Float(f64::NEG_INFINITY),
            SqlValue::Numeric("123456789012345678901234567890.50".to_owned()),
            SqlValue::Text("a \u{0} 'b' ä".to_owned()),
            SqlValue::Bytes(Bytes::from_static(b"\x00\xff")),
            SqlValue::Bytes(Bytes::from_static(b"plain")),
            SqlValue::Timestamp(Timestamp(-1)),
            SqlValue::Timestamp(Timestamp::INFINITY),
            SqlValue::Date(Date(-719_529)),
            SqlValue::Time(Time(86_399_999_999)),
            SqlValue::Uuid(Uuid([7; 16])),
            SqlValue::Json(r#"{"a": 1.0}"#.to_owned()),
            SqlValue::Array(vec![SqlValue::Int(1), SqlValue::Null, SqlValue::Array(vec![])]),
        ]
    }

    #[test]
    fn values_are_recorded_without_loss_and_within_the_estimate() {
        for value in all_types() {
            let recorded = Value::from_serialize(&value).unwrap();
            assert_eq!(recorded.to_typed::<SqlValue>().as_ref(), Ok(&value));
            assert!(recorded.tokens().len() <= value.recorded_len(), "{value}");
        }
        let params = [
            Param::Secret(SqlValue::Text("hunter2".to_owned())),
            Param::Out { statement: 1, column: "id".to_owned() },
            Param::Value(SqlValue::Int(5)),
        ];
        let recorded = Value::from_serialize(&params).unwrap();
        assert_eq!(recorded.to_typed::<Vec<Param>>().unwrap(), params);
        let json = serde_json::to_string(&params).unwrap();
        assert_eq!(json, r#"[{"secret":"hunter2"},{"out":[1,"id"]},5]"#);
        assert_eq!(serde_json::from_str::<Vec<Param>>(&json).unwrap(), params);
    }
}
