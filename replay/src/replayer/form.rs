//! Values as people give them: JSON, or the forms in which `--json` prints what JSON cannot say (see `crate::json`).

use serde::ser::{Error, Serialize, SerializeMap, Serializer};
use serde_json::Value as Tree;
use zerver_trace::Value;

/// A value that was given as JSON: what it says as it stands, and what it says if forms in it are read as such.
pub(super) struct Given {
    pub(super) plain: Value,
    formed: Option<Value>,
}

impl Given {
    /// Reads JSON.
    pub(super) fn read(json: &str) -> Result<Self, String> {
        let tree: Tree = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let plain = Value::of(&tree).map_err(|error| error.to_string())?;
        let formed = has_form(&tree).then(|| Value::of(&Formed(&tree)).ok()).flatten();
        Ok(Self { plain, formed })
    }

    /// Makes something of it. What is not understood as it stands may be a form; the error is that of the plain one.
    pub(super) fn make<T, E>(&self, f: impl Fn(&Value) -> Result<T, E>) -> Result<T, E> {
        f(&self.plain).or_else(|error| self.formed.as_ref().and_then(|formed| f(formed).ok()).ok_or(error))
    }
}

/// The form of a tree, if it has one: its key and what is behind it.
fn form(tree: &Tree) -> Option<(&str, &Tree)> {
    let mut entries = tree.as_object()?.iter();
    let (key, value) = entries.next()?;
    (entries.next().is_none() && ["bytes", "map", "number"].contains(&&**key)).then_some((key, value))
}

fn has_form(tree: &Tree) -> bool {
    match tree {
        _ if form(tree).is_some() => true,
        Tree::Array(items) => items.iter().any(has_form),
        Tree::Object(entries) => entries.values().any(has_form),
        _ => false,
    }
}

/// The tree with its forms as what they stand for.
struct Formed<'t>(&'t Tree);

impl Serialize for Formed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (form(self.0), self.0) {
            (Some(("bytes", Tree::String(hex))), _) => match unhex(hex) {
                Some(bytes) => serializer.serialize_bytes(&bytes),
                None => Err(S::Error::custom(format!("{hex:?} is not hexadecimal"))),
            },
            (Some(("number", Tree::String(text))), _) => number(text, serializer),
            (Some(("map", Tree::Array(pairs))), _) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                for pair in pairs {
                    match pair.as_array().map(Vec::as_slice) {
                        Some([key, value]) => map.serialize_entry(&Formed(key), &Formed(value))?,
                        _ => return Err(S::Error::custom("a map is a list of [key, value]")),
                    }
                }
                map.end()
            }
            (_, Tree::Array(items)) => serializer.collect_seq(items.iter().map(Formed)),
            (_, Tree::Object(entries)) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, Formed(value))))
            }
            (_, plain) => plain.serialize(serializer),
        }
    }
}

fn number<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if let Ok(number) = text.parse::<u128>() {
        return serializer.serialize_u128(number);
    }
    if let Ok(number) = text.parse::<i128>() {
        return serializer.serialize_i128(number);
    }
    match text.parse::<f64>() {
        Ok(number) => serializer.serialize_f64(number),
        Err(_) => Err(S::Error::custom(format!("{text:?} is no number"))),
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
    use crate::Json;

    /// What `--json` prints of a value gives that value.
    fn check<T: Serialize + for<'de> Deserialize<'de>>(value: T) {
        let recorded = Value::of(&value).unwrap();
        let json = Json::Value(Recorded::Plain { value: recorded.clone(), summary: None });
        let json = serde_json::to_string(&json).unwrap();
        let read: T = Given::read(&json)
            .unwrap()
            .make(Value::get)
            .unwrap_or_else(|error: ValueError| panic!("{json}: {error}"));
        assert_eq!(Value::of(&read).unwrap(), recorded, "{json}");
    }

    /// Bytes that are serialised as such.
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
    fn what_is_printed_can_be_given() {
        check(BTreeMap::from([((1u8, true), "a".to_owned()), ((2, false), String::new())]));
        check(vec![u128::MAX, 7]);
        check((i128::MIN, f64::INFINITY, Some(0.5f32)));
        check(Blob(vec![0, 255, 27]));
        check(BTreeMap::from([("a".to_owned(), Some(Blob(b"x".to_vec())))]));
        // A type that looks like a form is what it is.
        check(Bytes { bytes: "00".to_owned() });
        check(serde_json::json!({ "map": [[1, 2]] }));
    }

    #[test]
    fn a_wrong_form_is_an_error_of_the_type() {
        for json in [r#"{"bytes":"0"}"#, r#"{"bytes":"zz"}"#, r#"{"map":[[1]]}"#, r#"{"number":"x"}"#] {
            let given = Given::read(json).unwrap();
            assert!(given.make(Value::get::<u128>).is_err(), "{json}");
            assert!(given.make(Value::get::<BTreeMap<u8, u8>>).is_err(), "{json}");
        }
        assert!(Given::read("{").is_err());
    }
}
