//! Reads values that users write as JSON, including the forms in which `--json` prints values that JSON cannot express
//! (see `crate::value::json`).

use serde::ser::{Error, Serialize, SerializeMap, Serializer};
use zerver_trace::value::Encoder;
use zerver_trace::{Node, Value};

use crate::value::json_tree::{self, JsonTree};

/// A value written as JSON: read literally, and with its forms interpreted.
pub(crate) struct GivenValue {
    pub(crate) plain: Value,
    formed: Option<Value>,
}

impl GivenValue {
    /// Reads JSON. Numbers are read exactly.
    pub(crate) fn read(json: &str) -> Result<Self, String> {
        let tree = JsonTree::read(json.as_bytes()).map_err(|error| error.to_string())?;
        let node = tree.node();
        check(&node)?;
        let mut encoder = Encoder::new();
        encoder.node(&node, &mut |_| None).map_err(|error| error.to_string())?;
        let plain = encoder.finish().map_err(|error| error.to_string())?;
        let formed = has_form(&node).then(|| Value::from_serialize(&Formed(&node)).ok()).flatten();
        Ok(Self { plain, formed })
    }

    /// Converts the literal value, or else the interpreted one. If both fail, returns the error of the literal one.
    pub(crate) fn make<T, E>(&self, f: impl Fn(&Value) -> Result<T, E>) -> Result<T, E> {
        f(&self.plain).or_else(|error| self.formed.as_ref().and_then(|formed| f(formed).ok()).ok_or(error))
    }
}

/// Rejects numbers beyond the range of floats: no type can hold them, and rounding would change them.
fn check(node: &Node<'_>) -> Result<(), String> {
    match node {
        Node::Number(text) if text.parse().is_ok_and(f64::is_infinite) => {
            Err(format!("{text} exceeds the largest number"))
        }
        Node::Seq(items) => items.iter().try_for_each(check),
        Node::Map(entries) => entries.iter().try_for_each(|(_, value)| check(value)),
        _ => Ok(()),
    }
}

/// Returns key and content of a node that has a form.
fn form<'n, 't>(node: &'n Node<'t>) -> Option<(&'t str, &'n Node<'t>)> {
    match node {
        Node::Map(entries) => match &entries[..] {
            [(Node::Str(key @ ("bytes" | "map" | "number")), value)] => Some((key, value)),
            _ => None,
        },
        _ => None,
    }
}

fn has_form(node: &Node<'_>) -> bool {
    match node {
        _ if form(node).is_some() => true,
        Node::Seq(items) => items.iter().any(has_form),
        Node::Map(entries) => entries.iter().any(|(_, value)| has_form(value)),
        _ => false,
    }
}

/// A node with its forms interpreted.
struct Formed<'n, 't>(&'n Node<'t>);

impl Serialize for Formed<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (form(self.0), self.0) {
            (Some(("bytes", Node::Str(hex))), _) => match unhex(hex) {
                Some(bytes) => serializer.serialize_bytes(&bytes),
                None => Err(S::Error::custom(format!("{hex:?} is not hexadecimal"))),
            },
            (Some(("number", Node::Str(text))), _) => number(text, serializer),
            (Some(("map", Node::Seq(pairs))), _) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                for pair in pairs {
                    match pair {
                        Node::Seq(pair) if pair.len() == 2 => {
                            map.serialize_entry(&Formed(&pair[0]), &Formed(&pair[1]))?;
                        }
                        _ => return Err(S::Error::custom("a map must be a list of [key, value] pairs")),
                    }
                }
                map.end()
            }
            (_, Node::Seq(items)) => serializer.collect_seq(items.iter().map(Formed)),
            (_, Node::Map(entries)) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (Formed(key), Formed(value))))
            }
            (_, plain) => exact(plain, serializer),
        }
    }
}

/// Serializes a node without children as it is.
fn exact<S: Serializer>(node: &Node<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut encoder = Encoder::new();
    encoder.node(node, &mut |_| None).map_err(S::Error::custom)?;
    encoder.finish().map_err(S::Error::custom)?.serialize(serializer)
}

fn number<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if let Ok(number) = text.parse::<u128>() {
        return serializer.serialize_u128(number);
    }
    if let Ok(number) = text.parse::<i128>() {
        return serializer.serialize_i128(number);
    }
    match (JsonTree::read(text.as_bytes()), text.parse::<f64>()) {
        (Ok(JsonTree::Number(text)), _) => exact(&json_tree::number(text), serializer),
        (_, Ok(number)) if !number.is_finite() => serializer.serialize_f64(number),
        _ => Err(S::Error::custom(format!("{text:?} is not a number"))),
    }
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};
    use zerver_trace::{Recorded, ValueError};

    use super::*;
    use crate::RecordedJson;

    /// Checks that reading the output of `--json` gives the same value.
    fn check<T: Serialize + for<'de> Deserialize<'de>>(value: T) {
        let recorded = Value::from_serialize(&value).unwrap();
        let json = RecordedJson::Value(Recorded::Plain { value: recorded.clone(), summary: None });
        let json = serde_json::to_string(&json).unwrap();
        let read: T = GivenValue::read(&json)
            .unwrap()
            .make(Value::to_typed)
            .unwrap_or_else(|error: ValueError| panic!("{json}: {error}"));
        assert_eq!(Value::from_serialize(&read).unwrap(), recorded, "{json}");
    }

    /// Bytes that are serialized as bytes.
    struct Blob(Vec<u8>);

    impl Serialize for Blob {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&self.0)
        }
    }

    impl<'de> Deserialize<'de> for Blob {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl serde::de::Visitor<'_> for Visitor {
                type Value = Blob;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("bytes")
                }
                fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                    Ok(Blob(bytes.to_vec()))
                }
            }
            deserializer.deserialize_bytes(Visitor)
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Bytes {
        bytes: String,
    }

    #[test]
    fn printed_values_can_be_read() {
        check(BTreeMap::from([((1u8, true), "a".to_owned()), ((2, false), String::new())]));
        check(vec![u128::MAX, 7]);
        check((i128::MIN, f64::INFINITY, Some(0.5f32)));
        check(Blob(vec![0, 255, 27]));
        check(BTreeMap::from([("a".to_owned(), Some(Blob(b"x".to_vec())))]));
        check((f32::NAN, f64::NEG_INFINITY, -0.0f32, -0.0f64));
        check((f32::from_bits(1), f64::from_bits(1), f64::MIN_POSITIVE, f64::MAX, f32::MAX));
        check((u128::MAX as f64, 1e22, 9007199254740993.0, 0.1 + 0.2));
        check((u64::MAX, i64::MIN, u128::from(u64::MAX) + 1, i128::from(i64::MIN) - 1));
        // A type that looks like a form is read literally.
        check(Bytes { bytes: "00".to_owned() });
        check(serde_json::json!({ "map": [[1, 2]] }));
    }

    /// An integer becomes a float if the type requires one; other numbers are rounded once, to the width of the type.
    #[test]
    fn a_number_is_the_nearest_of_its_type() {
        let float = |json: &str| GivenValue::read(json).unwrap().make(Value::to_typed::<f64>).unwrap();
        for (json, wanted) in [
            ("1", 1.0),
            ("-0", -0.0),
            ("1236546565217899832645", 1236546565217899832645.0),
            ("-1236546565217899832645", -1236546565217899832645.0),
            ("100000000000000000000000000000000000000000", 1e41),
            ("0.1000000000000000055511151231257827021181583404541015625", 0.1),
            ("2.2250738585072011e-308", 2.225_073_858_507_201e-308),
            ("1e-400", 0.0),
        ] {
            assert_eq!(float(json).to_bits(), f64::to_bits(wanted), "{json}");
        }
        // Rounding to 64 bits first would give the next float.
        for midpoint in ["1.00000017881393432617187499", "1.0000001788139343"] {
            let given = GivenValue::read(midpoint).unwrap().make(Value::to_typed::<f32>).unwrap();
            assert_eq!(given, midpoint.parse::<f32>().unwrap());
        }
        assert!(GivenValue::read("[1e400]").is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_printed_float_is_read_back(bits: u64, small: u32) {
            let (one, other) = (f64::from_bits(bits), f32::from_bits(small));
            // The output does not distinguish NaNs.
            check((if one.is_nan() { f64::NAN } else { one }, if other.is_nan() { f32::NAN } else { other }));
        }
    }

    #[test]
    fn an_invalid_form_is_an_error() {
        for json in [r#"{"bytes":"0"}"#, r#"{"bytes":"zz"}"#, r#"{"map":[[1]]}"#, r#"{"number":"x"}"#] {
            let given = GivenValue::read(json).unwrap();
            assert!(given.make(Value::to_typed::<u128>).is_err(), "{json}");
            assert!(given.make(Value::to_typed::<BTreeMap<u8, u8>>).is_err(), "{json}");
        }
        assert!(GivenValue::read("{").is_err());
    }
}
