//! JSON form of recorded values, readable by any program.
//!
//! The conversion never fails. A value that JSON cannot express becomes an object with one telling key:
//!
//! | value | JSON |
//! |---|---|
//! | a number that neither 64 bits nor a float can hold, NaN, an infinity | `{"number": "340282366920938463463374607431768211455"}` |
//! | bytes | `{"bytes": "00ff1b"}`, in hexadecimal |
//! | a map whose keys are not distinct strings | `{"map": [[key, value], ..]}` |
//! | a secret | `{"secret": "3f2a.."}`: a keyed hash, equal for equal secrets; `null` if there is none |
//! | a value that was not recorded | `{"missing": "too large"}` |
//!
//! A value that only contains a secret has a mask in its place, such as `"<secret:3f9a2c71d0e4>"`. Headers and bodies are
//! bytes too, but become strings if they are UTF-8.
//!
//! `()` and an absent option are `null`; a present option is its content; an enum's variant is `"Name"` or
//! `{"Name": content}`. The fields of a struct keep their order. This form is for reading: only the store can turn a value
//! back into its type.

use std::collections::BTreeSet;

use super::{Node, Value};
use crate::{MissingReason, Recorded};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// A recorded value in the JSON form described above.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordedJson {
    /// A recorded value.
    Value(Recorded),
    /// Bytes from the wire; a string if they are UTF-8.
    Wire(Recorded),
    /// A value that is masked although the store holds it in plain text.
    Masked,
}

impl Serialize for RecordedJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (recorded, wire) = match self {
            Self::Value(recorded) => (recorded, false),
            Self::Wire(recorded) => (recorded, true),
            Self::Masked => return single(serializer, "secret", &()),
        };
        match recorded {
            Recorded::Sealed { hash, masked: None, .. } | Recorded::Hashed { hash, masked: None } => {
                single(serializer, "secret", &hex(hash))
            }
            Recorded::Missing(missing) => single(serializer, "missing", &why(missing)),
            Recorded::Plain { value, .. } => tree(value, wire, serializer),
            Recorded::Sealed { masked: Some(shown), .. } | Recorded::Hashed { masked: Some(shown), .. } => {
                tree(&shown.value, wire, serializer)
            }
        }
    }
}

fn tree<S: Serializer>(value: &Value, wire: bool, serializer: S) -> Result<S::Ok, S::Error> {
    match value.root() {
        Node::Bytes(bytes) if wire => match str::from_utf8(bytes) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => single(serializer, "bytes", &hex(bytes)),
        },
        root => Tree(&root).serialize(serializer),
    }
}

/// Returns the reason why a value was not recorded.
pub fn why(missing: &MissingReason) -> String {
    match missing {
        MissingReason::TooLarge => "too large".to_owned(),
        MissingReason::NotImported => "not in the imported spans".to_owned(),
        MissingReason::Failed(error) => format!("could not be serialized: {error}"),
    }
}

/// Returns bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
        out
    })
}

fn single<S: Serializer>(
    serializer: S,
    key: &str,
    value: &(impl Serialize + ?Sized),
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

struct Tree<'a>(&'a Node<'a>);

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Node::Unit | Node::None => serializer.serialize_unit(),
            Node::Some(inner) => Tree(inner).serialize(serializer),
            Node::Bool(v) => serializer.serialize_bool(*v),
            Node::Uint(v) => serializer.serialize_u64(*v),
            Node::Int(v) => serializer.serialize_i64(*v),
            Node::U128(v) => match u64::try_from(*v) {
                Ok(v) => serializer.serialize_u64(v),
                Err(_) => single(serializer, "number", &v.to_string()),
            },
            Node::I128(v) => match i64::try_from(*v) {
                Ok(v) => serializer.serialize_i64(v),
                Err(_) => single(serializer, "number", &v.to_string()),
            },
            Node::F32(v) if v.is_finite() => serializer.serialize_f32(*v),
            Node::F32(v) => single(serializer, "number", &v.to_string()),
            Node::F64(v) if v.is_finite() => serializer.serialize_f64(*v),
            Node::F64(v) => single(serializer, "number", &v.to_string()),
            Node::Number(v) => single(serializer, "number", v),
            Node::Char(v) => serializer.serialize_char(*v),
            Node::Str(v) => serializer.serialize_str(v),
            Node::Bytes(v) => single(serializer, "bytes", &hex(v)),
            Node::Seq(items) => serializer.collect_seq(items.iter().map(Tree)),
            Node::Map(entries) => serialize_map(entries, serializer),
            Node::Struct(fields) => {
                serializer.collect_map(fields.iter().map(|(name, value)| (name, Tree(value))))
            }
            Node::Variant(name, None) => serializer.serialize_str(name),
            Node::Variant(name, Some(inner)) => single(serializer, name, &Tree(inner)),
        }
    }
}

fn serialize_map<S: Serializer>(entries: &[(Node<'_>, Node<'_>)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut seen = BTreeSet::new();
    let plain = entries.iter().all(|(key, _)| matches!(key, Node::Str(key) if seen.insert(*key)));
    if plain {
        let named = entries.iter().filter_map(|(key, value)| Some((key.as_str()?, Tree(value))));
        return serializer.collect_map(named);
    }
    struct Pairs<'a>(&'a [(Node<'a>, Node<'a>)]);
    impl Serialize for Pairs<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
            for (key, value) in self.0 {
                seq.serialize_element(&(Tree(key), Tree(value)))?;
            }
            seq.end()
        }
    }
    single(serializer, "map", &Pairs(entries))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::Masked;
    use serde::Serialize;

    fn check(value: impl Serialize, wanted: &str) {
        let recorded = Recorded::Plain { value: Value::from_serialize(&value).unwrap(), summary: None };
        assert_eq!(serde_json::to_string(&RecordedJson::Value(recorded)).unwrap(), wanted);
    }

    #[derive(Serialize)]
    struct Todo {
        title: &'static str,
        done: Option<bool>,
        at: f32,
    }

    #[derive(Serialize)]
    enum State {
        New,
        Moved { to: u8 },
        Pair(u8, ()),
    }

    #[test]
    fn every_value_has_a_json_form() {
        check(
            Todo { title: "a \u{1b}", done: None, at: 1.1 },
            r#"{"title":"a \u001b","done":null,"at":1.1}"#,
        );
        check(
            [State::New, State::Moved { to: 1 }, State::Pair(2, ())],
            r#"["New",{"Moved":{"to":1}},{"Pair":[2,null]}]"#,
        );
        check(
            (u128::MAX, 7u128, i128::MIN),
            r#"[{"number":"340282366920938463463374607431768211455"},7,{"number":"-170141183460469231731687303715884105728"}]"#,
        );
        check((f64::NAN, f32::NEG_INFINITY, -0.5), r#"[{"number":"NaN"},{"number":"-inf"},-0.5]"#);
        check(BTreeMap::from([("a", 1), ("b", 2)]), r#"{"a":1,"b":2}"#);
        check(BTreeMap::from([(1, 'x')]), r#"{"map":[[1,"x"]]}"#);
        check(BTreeMap::from([((1, true), ())]), r#"{"map":[[[1,true],null]]}"#);
    }

    #[test]
    fn secrets_and_missing_values_have_a_json_form() {
        let show = |recorded| serde_json::to_string(&RecordedJson::Value(recorded)).unwrap();
        let bytes = Value::from_bytes(&[0, 255, 27]).unwrap();
        assert_eq!(show(Recorded::Plain { value: bytes, summary: None }), r#"{"bytes":"00ff1b"}"#);
        let text = Recorded::Plain { value: Value::from_bytes(b"text/plain").unwrap(), summary: None };
        assert_eq!(serde_json::to_string(&RecordedJson::Wire(text)).unwrap(), r#""text/plain""#);
        let hash = [0x3f; 16];
        let secret = r#"{"secret":"3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f"}"#;
        assert_eq!(show(Recorded::Hashed { hash, masked: None }), secret);
        assert_eq!(show(Recorded::Sealed { hash, sealed: b"hunter2".to_vec(), masked: None }), secret);
        let shown = Masked { value: Value::from_serialize(&["<secret:3f3f>"]).unwrap(), summary: None };
        let partly = Recorded::Hashed { hash, masked: Some(Box::new(shown)) };
        assert_eq!(show(partly), r#"["<secret:3f3f>"]"#);
        assert_eq!(show(Recorded::Missing(MissingReason::TooLarge)), r#"{"missing":"too large"}"#);
        assert_eq!(serde_json::to_string(&RecordedJson::Masked).unwrap(), r#"{"secret":null}"#);
    }
}
