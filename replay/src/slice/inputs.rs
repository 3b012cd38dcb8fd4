//! Inputs of a recorded request: the parts of the request, the answers of its effects, the slots between its steps, and
//! the built-in slots.

use std::collections::BTreeMap;

use zerver_trace::{Answer, EffectError, Event, FlowInfo, Node, Value};

use super::leaves::{Leaf, leaves};
use crate::recording::Recording;

/// A place from which a step gets values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Parameter of the path.
    Param(String),
    /// Parameter of the query, by its position.
    Query(usize),
    /// Header, by its position.
    Header(usize),
    Body,
    /// Output of a call, by its number.
    Answer(u32),
    /// Error with which a call ended.
    Error(u32),
    /// Slot, by its position in the flow.
    Slot(u16),
    ArrivalTime,
    Random,
    RequestId,
}

/// An input as a whole.
#[derive(Debug, Clone)]
pub(super) struct Root {
    pub(super) place: Place,
    /// Name under which it is shown: `request.body`, `slot.Todo`.
    pub(super) name: String,
    /// The value, or the reason why it is unknown.
    pub(super) value: Result<Value, String>,
    /// Error of a call, for [`Place::Error`].
    pub(super) error: Option<EffectError>,
    /// True if it must not be shown.
    pub(super) is_secret: bool,
}

/// A part of an input that is changed by itself.
#[derive(Debug, Clone)]
pub(super) struct Input {
    /// Position of the root in its list.
    pub(super) root: usize,
    /// Name under which it is shown: `request.body.items.0.price`.
    pub(super) name: String,
    pub(super) leaf: Leaf,
}

/// Returns the inputs of a recording as wholes.
pub(super) fn roots(recording: &Recording, flow: &FlowInfo) -> Vec<Root> {
    let trace = &recording.trace;
    let mut roots = Vec::new();
    let mut add = |place, name: String, value: Result<Value, String>| {
        roots.push(Root { place, name, value, error: None, is_secret: false });
    };
    let plain = |recorded| recording.secrets.plain(recorded).cloned().map_err(|reason| reason.to_string());
    let text = |text: &str| Value::from_serialize(text).map_err(|error| error.to_string());
    match plain(&trace.target) {
        Ok(target) => {
            let target = target.root().as_bytes().unwrap_or_default().into_owned();
            let target = String::from_utf8_lossy(&target).into_owned();
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            for (name, value) in path_params(&trace.flow.pattern, path) {
                add(Place::Param(name.clone()), format!("param.{name}"), text(&value));
            }
            for (at, (name, value)) in query_pairs(query).into_iter().enumerate() {
                add(Place::Query(at), format!("query.{name}"), text(&value));
            }
        }
        Err(reason) => add(Place::Param(String::new()), "request.target".to_owned(), Err(reason)),
    }
    for (at, header) in trace.request_headers.iter().enumerate() {
        let value = plain(&header.value).and_then(|value| {
            let bytes = value.root().as_bytes().unwrap_or_default().into_owned();
            text(&String::from_utf8_lossy(&bytes))
        });
        add(Place::Header(at), format!("header.{}", header.name), value);
    }
    if trace.request_body.full_len > 0 {
        let value = plain(&trace.request_body.bytes).and_then(|value| {
            let root = value.root();
            let bytes = root.as_bytes().unwrap_or_default();
            match str::from_utf8(&bytes) {
                Ok(body) => text(body),
                Err(_) => Value::from_bytes(&bytes).map_err(|error| error.to_string()),
            }
        });
        add(Place::Body, "request.body".to_owned(), value);
    }
    let number = |number: u64| Value::from_serialize(&number).map_err(|error| error.to_string());
    add(Place::ArrivalTime, "request.arrival_time".to_owned(), number(trace.started_unix_ns));
    add(Place::Random, "request.random".to_owned(), number(trace.seed));
    add(Place::RequestId, "request.id".to_owned(), text(&trace.id.to_string()));
    let mut slots: BTreeMap<u16, Result<Value, String>> = BTreeMap::new();
    let mut answers = BTreeMap::new();
    for event in &trace.events {
        match event {
            Event::EffectCompleted { call, answer, .. } => {
                answers.insert(*call, answer);
            }
            Event::SlotWritten { slot, value, .. } => {
                slots.insert(*slot, plain(value));
            }
            _ => {}
        }
    }
    for (call, answer) in answers {
        let (place, name, value, error) = match answer {
            Answer::Ok(output) => (Place::Answer(call), format!("effect.{call}.output"), plain(output), None),
            Answer::Err(error) => {
                let name = format!("effect.{call}.error");
                (Place::Error(call), name, text(&error.message), Some(error.clone()))
            }
            Answer::Canceled => continue,
        };
        roots.push(Root { place, name, value, error, is_secret: false });
    }
    for (slot, value) in slots {
        let Some(recorded) = trace.flow.slots.get(usize::from(slot)) else { continue };
        // The flow of today may have the slots in another order.
        let today = flow.slots.iter().position(|slot| slot.path == recorded.path);
        if let Some(today) = today.filter(|_| recorded.path != FlowInfo::FAILURE_PATH) {
            let (place, name) = (Place::Slot(today as u16), format!("slot.{}", recorded.name));
            roots.push(Root { place, name, value, error: None, is_secret: recorded.is_secret });
        }
    }
    roots
}

/// Splits inputs into their parts. Inputs that are unknown have none.
pub(super) fn split(roots: &[Root]) -> Vec<Input> {
    let mut inputs = Vec::new();
    for (root, of) in roots.iter().enumerate() {
        let Ok(value) = &of.value else { continue };
        let is_whole = matches!(
            of.place,
            Place::ArrivalTime | Place::Random | Place::RequestId | Place::Error(_) | Place::Param(_)
        );
        for leaf in leaves(value) {
            if is_whole && !leaf.path.is_empty() {
                continue;
            }
            let name = std::iter::once(of.name.as_str()).chain(leaf.path.iter().map(String::as_str));
            let name = name.collect::<Vec<_>>().join(".");
            inputs.push(Input { root, name, leaf });
        }
    }
    inputs
}

/// Returns the values of the inputs of a recorded request, by the name of the input. Positions in lists are left out of
/// the names, so that the values of one list serve all its items. They are values to try for another request.
pub fn recorded_inputs(recording: &Recording) -> Vec<(String, Value)> {
    let roots = roots(recording, &recording.trace.flow);
    let inputs = split(&roots).into_iter().filter(|input| !roots[input.root].is_secret);
    inputs.map(|input| (general_name(&input.name), input.leaf.value)).collect()
}

/// Returns the name of an input without positions in lists.
pub(super) fn general_name(name: &str) -> String {
    let (start, rest) = match name.strip_prefix("effect.").and_then(|rest| rest.split_once('.')) {
        Some((number, rest)) => (format!("effect.{number}."), rest),
        None => (String::new(), name),
    };
    let general =
        |part: &str| if part.bytes().all(|b| b.is_ascii_digit()) { "*".to_owned() } else { part.to_owned() };
    start + &rest.split('.').map(general).collect::<Vec<_>>().join(".")
}

/// Returns the parameters of a path, decoded.
pub(super) fn path_params(pattern: &str, path: &str) -> Vec<(String, String)> {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    let mut params = Vec::new();
    for (at, part) in pattern.iter().enumerate() {
        let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else { continue };
        match name.strip_prefix('*') {
            Some(name) => {
                let rest = path.get(at..).unwrap_or_default().join("/");
                params.push((name.to_owned(), percent_decoded(&rest)));
            }
            None => {
                let value = path.get(at).copied().unwrap_or_default();
                params.push((name.to_owned(), percent_decoded(value)));
            }
        }
    }
    params
}

/// Returns the pairs of a query, decoded.
pub(super) fn query_pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decoded(&text.replace('+', " "));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(str::from_utf8(hex).ok()?, 16).ok());
        match byte {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Encodes everything but letters, digits and a few marks that mean nothing in a target.
pub(super) fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// Returns the text of a value.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value.root() {
        Node::Str(text) => Some(text.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_split_and_decoded() {
        assert_eq!(path_params("/v1/{id}/x", "/v1/a%2Fb/x"), [("id".to_owned(), "a/b".to_owned())]);
        assert_eq!(path_params("/files/{*path}", "/files/a/b"), [("path".to_owned(), "a/b".to_owned())]);
        let pairs = query_pairs("a=1&b=x+y%20z&c&&%zz=%");
        let shown: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(shown, ["a=1", "b=x y z", "c=", "%zz=%"]);
        assert_eq!(percent_decoded(&percent_encoded("a/ü &%+")), "a/ü &%+");
        assert_eq!(general_name("request.body.items.12.price"), "request.body.items.*.price");
        assert_eq!(general_name("effect.3.output.rows.0.id"), "effect.3.output.rows.*.id");
    }
}
