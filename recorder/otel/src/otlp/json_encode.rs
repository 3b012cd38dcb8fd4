//! Encodes spans as OTLP/JSON: ids in hexadecimal, 64-bit numbers as text, enums as numbers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{AttributeValue, Attributes, ResourceSpans, ScopeSpans, Span, SpanBatch, SpanEvent, Status};

/// Encodes an `ExportTraceServiceRequest`, which is also a `TracesData`.
pub fn encode_json(spans: &SpanBatch) -> Value {
    json!({ "resourceSpans": spans.resources.iter().map(resource_spans).collect::<Vec<_>>() })
}

fn resource_spans(spans: &ResourceSpans) -> Value {
    json!({
        "resource": { "attributes": attributes(&spans.attributes) },
        "scopeSpans": spans.scopes.iter().map(scope_spans).collect::<Vec<_>>(),
    })
}

fn scope_spans(spans: &ScopeSpans) -> Value {
    json!({
        "scope": { "name": spans.name, "version": spans.version },
        "spans": spans.spans.iter().map(span).collect::<Vec<_>>(),
    })
}

fn span(one: &Span) -> Value {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    add("traceId", format!("{:032x}", one.trace_id).into());
    add("spanId", format!("{:016x}", one.span_id).into());
    if !one.trace_state.is_empty() {
        add("traceState", one.trace_state.as_str().into());
    }
    if one.parent_span_id != 0 {
        add("parentSpanId", format!("{:016x}", one.parent_span_id).into());
    }
    if one.flags != 0 {
        add("flags", one.flags.into());
    }
    add("name", one.name.as_str().into());
    add("kind", (one.kind as u8).into());
    add("startTimeUnixNano", one.start_unix_ns.to_string().into());
    add("endTimeUnixNano", one.end_unix_ns.to_string().into());
    add("attributes", attributes(&one.attributes));
    if !one.events.is_empty() {
        add("events", one.events.iter().map(event).collect());
    }
    if one.status != Status::default() {
        add("status", status(&one.status));
    }
    Value::Object(fields)
}

fn event(one: &SpanEvent) -> Value {
    json!({
        "timeUnixNano": one.unix_ns.to_string(),
        "name": one.name,
        "attributes": attributes(&one.attributes),
    })
}

fn status(one: &Status) -> Value {
    match (one.code as u8, one.message.as_str()) {
        (code, "") => json!({ "code": code }),
        (code, message) => json!({ "code": code, "message": message }),
    }
}

fn attributes(all: &Attributes) -> Value {
    all.0.iter().map(|(name, value)| json!({ "key": name, "value": any_value(value) })).collect()
}

fn any_value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Empty => json!({}),
        AttributeValue::Text(text) => json!({ "stringValue": text }),
        AttributeValue::Bool(is_true) => json!({ "boolValue": is_true }),
        AttributeValue::Int(number) => json!({ "intValue": number.to_string() }),
        AttributeValue::Float(number) if number.is_finite() => json!({ "doubleValue": number }),
        // The JSON form of Protocol Buffers has texts for these.
        AttributeValue::Float(number) if number.is_nan() => json!({ "doubleValue": "NaN" }),
        AttributeValue::Float(number) if *number > 0.0 => json!({ "doubleValue": "Infinity" }),
        AttributeValue::Float(_) => json!({ "doubleValue": "-Infinity" }),
        AttributeValue::Bytes(bytes) => json!({ "bytesValue": STANDARD.encode(bytes) }),
        AttributeValue::List(values) => {
            json!({ "arrayValue": { "values": values.iter().map(any_value).collect::<Vec<_>>() } })
        }
        AttributeValue::Map(entries) => json!({ "kvlistValue": { "values": attributes(entries) } }),
    }
}
