//! Conversion between values and the JSON that `zerver trace --json` prints.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;
use zerver_trace::{Recorded, Value};

/// Returns a value as `zerver trace --json` prints it.
pub(super) fn to_json(value: &Value) -> Json {
    let recorded = Recorded::Plain { value: value.clone(), summary: None };
    match serde_json::to_value(zerver_trace::value::json::RecordedJson::Value(recorded)) {
        Ok(json) => json,
        Err(error) => panic!("{value} cannot be written as JSON: {error}"),
    }
}

/// Parses JSON that a test contains.
#[track_caller]
pub(super) fn parse(text: &str) -> Json {
    match serde_json::from_str(text) {
        Ok(json) => json,
        Err(error) => panic!("{text:?} is not JSON: {error}"),
    }
}

/// JSON that serializes as the value it represents: `{"bytes": …}`, `{"number": …}` and `{"map": …}` become bytes, a number
/// that JSON cannot hold, and a map whose keys are not text.
pub(super) struct RecordedJson<'j>(pub(super) &'j Json);

impl Serialize for RecordedJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Json::Array(items) => serializer.collect_seq(items.iter().map(RecordedJson)),
            Json::Object(entries) => match (entries.len(), entries.iter().next()) {
                (1, Some((key, Json::String(text)))) if key == "bytes" => match unhex(text) {
                    Some(bytes) => serializer.serialize_bytes(&bytes),
                    None => serializer.collect_map([(key, text)]),
                },
                (1, Some((key, Json::String(text)))) if key == "number" => number(text, serializer),
                (1, Some((key, Json::Array(pairs)))) if key == "map" => {
                    let mut map = serializer.serialize_map(Some(pairs.len()))?;
                    for pair in pairs {
                        map.serialize_entry(&RecordedJson(&pair[0]), &RecordedJson(&pair[1]))?;
                    }
                    map.end()
                }
                _ => serializer.collect_map(entries.iter().map(|(key, value)| (key, RecordedJson(value)))),
            },
            plain => plain.serialize(serializer),
        }
    }
}

fn number<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if let Ok(number) = text.parse() {
        return serializer.serialize_u128(number);
    }
    if let Ok(number) = text.parse() {
        return serializer.serialize_i128(number);
    }
    match text.parse() {
        Ok(number) => serializer.serialize_f64(number),
        Err(_) => serializer.collect_map([("number", text)]),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok().filter(|_| pair.len() == 2))
        .collect()
}
