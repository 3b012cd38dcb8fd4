//! Extracts the fields of requests and slots that can be compared across requests: texts, numbers, and lengths of
//! lists. Values that contain a secret are left out.

use std::collections::BTreeMap;

use zerver_trace::{Node, Trace, Value};

use crate::request_parameters::{parameters, query};
use crate::{IgnoredHeaders, Timeline};

/// Maximum number of fields per request.
const MAX_FIELDS: usize = 300;
/// Maximum depth within a value.
const MAX_DEPTH: usize = 6;
/// Maximum length of a text. Longer texts are rarely equal.
const MAX_TEXT: usize = 64;

/// Value of a field.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(crate) enum Scalar {
    /// A number and its notation: two large numbers may have the same nearest float.
    Number(f64, String),
    Text(String),
}

impl Scalar {
    /// Returns the value as text.
    pub(crate) fn show(&self) -> String {
        match self {
            Self::Number(_, text) | Self::Text(text) => text.clone(),
        }
    }
}

/// Fields by name: `query latency_ms`, `Todo.title`, `Todos.len`.
pub(crate) type Fields = BTreeMap<String, Scalar>;

pub(crate) fn fields(trace: &Trace, timeline: &Timeline, ignored: &IgnoredHeaders) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in parameters(&trace.flow.pattern, &trace.path).unwrap_or_default() {
        add(&mut fields, format!("parameter {name}"), typed(&value));
    }
    if !trace.target.is_secret() {
        for (name, value) in query(trace) {
            add(&mut fields, format!("query {name}"), typed(&value));
        }
    }
    for header in &trace.request_headers {
        let is_length = header.name == "content-length";
        if ignored.has(&header.name) || header.value.is_secret() || is_length {
            continue;
        }
        let root = header.value.value().map(Value::root);
        if let Some(bytes) = root.as_ref().and_then(Node::as_bytes) {
            add(&mut fields, format!("header {}", header.name), text(&String::from_utf8_lossy(&bytes)));
        }
    }
    add(
        &mut fields,
        "body length".to_owned(),
        number(trace.request_body.full_len as f64, trace.request_body.full_len),
    );
    for slot in &timeline.slots {
        // Parts of the value may be secret.
        if slot.is_masked() || slot.value.is_secret() {
            continue;
        }
        if let Some(value) = slot.value.value() {
            walk(&mut slot.name.clone(), &value.root(), 0, &mut fields);
        }
    }
    fields
}

fn add(fields: &mut Fields, name: String, value: Option<Scalar>) {
    if let Some(value) = value
        && fields.len() < MAX_FIELDS
    {
        fields.entry(name).or_insert(value);
    }
}

fn text(text: &str) -> Option<Scalar> {
    (text.len() <= MAX_TEXT).then(|| Scalar::Text(text.to_owned()))
}

fn number(n: f64, written: impl std::fmt::Display) -> Option<Scalar> {
    Some(Scalar::Number(n, written.to_string()))
}

/// Interprets text as a number if it is one.
fn typed(value: &str) -> Option<Scalar> {
    match value.parse::<f64>() {
        Ok(n) if n.is_finite() => number(n, value),
        _ => text(value),
    }
}

fn walk(path: &mut String, node: &Node<'_>, depth: usize, fields: &mut Fields) {
    if depth > MAX_DEPTH || fields.len() >= MAX_FIELDS {
        return;
    }
    let len = path.len();
    let mut within = |path: &mut String, name: &str, node: &Node<'_>| {
        path.push('.');
        path.push_str(name);
        walk(path, node, depth + 1, fields);
        path.truncate(len);
    };
    let value = match node {
        Node::Struct(parts) => return parts.iter().for_each(|(name, part)| within(path, name, part)),
        Node::Map(entries) => {
            let named = entries.iter().filter_map(|(key, part)| Some((key.as_str()?, part)));
            named.for_each(|(name, part)| within(path, name, part));
            path.push_str(".len");
            add(fields, path.clone(), number(entries.len() as f64, entries.len()));
            return path.truncate(len);
        }
        Node::Seq(items) => {
            path.push_str(".len");
            add(fields, path.clone(), number(items.len() as f64, items.len()));
            return path.truncate(len);
        }
        Node::Some(inner) => return walk(path, inner, depth + 1, fields),
        Node::Variant(name, inner) => {
            if let Some(inner) = inner {
                within(path, name, inner);
            }
            text(name)
        }
        Node::Uint(n) => number(*n as f64, n),
        Node::Int(n) => number(*n as f64, n),
        Node::U128(n) => number(*n as f64, n),
        Node::I128(n) => number(*n as f64, n),
        Node::F32(n) if n.is_finite() => number((*n).into(), n),
        Node::F64(n) if n.is_finite() => number(*n, n),
        Node::Str(value) => text(value),
        Node::Bool(_) | Node::Char(_) | Node::None => text(&node.to_string()),
        Node::F32(_) | Node::F64(_) | Node::Number(_) | Node::Unit | Node::Bytes(_) => None,
    };
    add(fields, path.clone(), value);
}
