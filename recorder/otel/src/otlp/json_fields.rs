//! Parts of a JSON text, which are found in the text when they are needed: no tree of it is built.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::JsonError;
use super::json_decode::Decoded;

/// Names of the fields of OTLP that are read, in both notations.
const NAMES: &[&str] = &[
    "trace",
    "data",
    "tracesData",
    "resourceSpans",
    "resource_spans",
    "batches",
    "resource",
    "scopeSpans",
    "scope_spans",
    "instrumentationLibrarySpans",
    "instrumentation_library_spans",
    "scope",
    "instrumentationLibrary",
    "instrumentation_library",
    "name",
    "version",
    "spans",
    "traceId",
    "trace_id",
    "spanId",
    "span_id",
    "traceState",
    "trace_state",
    "parentSpanId",
    "parent_span_id",
    "flags",
    "kind",
    "startTimeUnixNano",
    "start_time_unix_nano",
    "endTimeUnixNano",
    "end_time_unix_nano",
    "attributes",
    "events",
    "timeUnixNano",
    "time_unix_nano",
    "status",
    "code",
    "message",
    "key",
    "value",
    "values",
    "stringValue",
    "string_value",
    "boolValue",
    "bool_value",
    "intValue",
    "int_value",
    "doubleValue",
    "double_value",
    "bytesValue",
    "bytes_value",
    "arrayValue",
    "array_value",
    "kvlistValue",
    "kvlist_value",
];

/// Fields of an object that are read, each of which may have several names. Of a field that is repeated, the last one
/// counts.
pub(super) struct Fields<'j>(Vec<(&'static str, &'j RawValue)>);

impl<'j> Fields<'j> {
    /// Finds the fields of an object.
    pub(super) fn of(object: &'j RawValue) -> Decoded<Self> {
        let mut known: Vec<(&'static str, &'j RawValue)> = Vec::new();
        each_entry(object, |name, value| {
            let Some(name) = NAMES.iter().find(|one| **one == name) else { return Ok(()) };
            match known.iter_mut().find(|(one, _)| one == name) {
                Some((_, before)) => *before = value,
                None => known.push((name, value)),
            }
            Ok(())
        })?;
        Ok(Self(known))
    }

    /// Returns the first field with one of these names.
    pub(super) fn get(&self, names: &[&str]) -> Option<&'j RawValue> {
        debug_assert!(names.iter().all(|name| NAMES.contains(name)), "{names:?}");
        names.iter().find_map(|name| self.0.iter().find(|(one, _)| one == name).map(|(_, value)| *value))
    }

    /// Returns the field if it is a list.
    pub(super) fn list(&self, names: &[&str]) -> Option<&'j RawValue> {
        self.get(names).filter(|value| is_list(value))
    }

    /// Returns the fields of the field if it is an object.
    pub(super) fn object(&self, names: &[&str]) -> Decoded<Option<Self>> {
        self.get(names).filter(|value| is_object(value)).map(Fields::of).transpose()
    }

    /// Visits the objects in the field if it is a list.
    pub(super) fn each_object(
        &self,
        names: &[&str],
        mut visit: impl FnMut(Self) -> Decoded<()>,
    ) -> Decoded<()> {
        let Some(list) = self.list(names) else { return Ok(()) };
        each_item(list, |item| if is_object(item) { visit(Self::of(item)?) } else { Ok(()) })
    }

    /// Returns the field, which is null if it contains other values.
    pub(super) fn leaf(&self, names: &[&str]) -> Decoded<Option<Value>> {
        let Some(value) = self.get(names) else { return Ok(None) };
        let is_leaf = !is_list(value) && !is_object(value);
        Ok(Some(if is_leaf { serde_json::from_str(value.get())? } else { Value::Null }))
    }
}

pub(super) fn is_list(value: &RawValue) -> bool {
    value.get().starts_with('[')
}

pub(super) fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

/// Visits the items of a list.
pub(super) fn each_item<'j>(
    list: &'j RawValue,
    visit: impl FnMut(&'j RawValue) -> Decoded<()>,
) -> Decoded<()> {
    let mut failure = None;
    let parsed = serde_json::Deserializer::from_str(list.get())
        .deserialize_seq(Items { visit, failure: &mut failure });
    finished(parsed, failure)
}

/// Visits the names and values of an object.
pub(super) fn each_entry<'j>(
    object: &'j RawValue,
    visit: impl FnMut(Cow<'j, str>, &'j RawValue) -> Decoded<()>,
) -> Decoded<()> {
    let mut failure = None;
    let parsed = serde_json::Deserializer::from_str(object.get())
        .deserialize_map(Entries { visit, failure: &mut failure });
    finished(parsed, failure)
}

/// Returns the failure of a visit, which the parser knows as its own.
fn finished(parsed: Result<(), serde_json::Error>, failure: Option<JsonError>) -> Decoded<()> {
    match failure {
        Some(failure) => Err(failure),
        None => Ok(parsed?),
    }
}

struct Items<'f, V> {
    visit: V,
    failure: &'f mut Option<JsonError>,
}

impl<'j, V: FnMut(&'j RawValue) -> Decoded<()>> Visitor<'j> for Items<'_, V> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'j>>(mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            (self.visit)(item).map_err(|failure| {
                *self.failure = Some(failure);
                A::Error::custom("the visit failed")
            })?;
        }
        Ok(())
    }
}

struct Entries<'f, V> {
    visit: V,
    failure: &'f mut Option<JsonError>,
}

impl<'j, V: FnMut(Cow<'j, str>, &'j RawValue) -> Decoded<()>> Visitor<'j> for Entries<'_, V> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'j>>(mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some((Name(name), value)) = entries.next_entry()? {
            (self.visit)(name, value).map_err(|failure| {
                *self.failure = Some(failure);
                A::Error::custom("the visit failed")
            })?;
        }
        Ok(())
    }
}

/// Name of a field, which is borrowed from the text unless it has escapes.
#[derive(Deserialize)]
struct Name<'j>(#[serde(borrow)] Cow<'j, str>);
