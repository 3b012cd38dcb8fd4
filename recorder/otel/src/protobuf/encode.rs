//! Encodes spans as Protocol Buffers.

use super::field_numbers::{
    VALUES, any_value, batch, event, key_value, resource, resource_spans, scope, scope_spans, span, status,
};
use super::wire::MessageWriter;
use crate::otlp::{
    AttributeValue, Attributes, ResourceSpans, ScopeSpans, Span, SpanBatch, SpanEvent, Status,
};

/// Encodes an `ExportTraceServiceRequest`, which is also a `TracesData`.
pub fn encode(spans: &SpanBatch) -> Vec<u8> {
    let mut out = MessageWriter::default();
    for resource in &spans.resources {
        out.message(batch::RESOURCE_SPANS, |out| resource_spans(out, resource));
    }
    out.into_bytes()
}

fn resource_spans(out: &mut MessageWriter, spans: &ResourceSpans) {
    out.message(resource_spans::RESOURCE, |out| attributes(out, resource::ATTRIBUTES, &spans.attributes));
    for scope in &spans.scopes {
        out.message(resource_spans::SCOPE_SPANS, |out| scope_spans(out, scope));
    }
}

fn scope_spans(out: &mut MessageWriter, spans: &ScopeSpans) {
    out.message(scope_spans::SCOPE, |out| {
        out.text(scope::NAME, &spans.name);
        out.text(scope::VERSION, &spans.version);
    });
    for one in &spans.spans {
        out.message(scope_spans::SPANS, |out| write_span(out, one));
    }
}

fn write_span(out: &mut MessageWriter, one: &Span) {
    out.bytes(span::TRACE_ID, &one.trace_id.to_be_bytes());
    out.bytes(span::SPAN_ID, &one.span_id.to_be_bytes());
    out.text(span::TRACE_STATE, &one.trace_state);
    if one.parent_span_id != 0 {
        out.bytes(span::PARENT_SPAN_ID, &one.parent_span_id.to_be_bytes());
    }
    out.text(span::NAME, &one.name);
    out.integer(span::KIND, one.kind as u64);
    out.fixed64(span::START, one.start_unix_ns);
    out.fixed64(span::END, one.end_unix_ns);
    attributes(out, span::ATTRIBUTES, &one.attributes);
    for event in &one.events {
        out.message(span::EVENTS, |out| write_event(out, event));
    }
    if one.status != Status::default() {
        out.message(span::STATUS, |out| {
            out.text(status::MESSAGE, &one.status.message);
            out.integer(status::CODE, one.status.code as u64);
        });
    }
    out.fixed32(span::FLAGS, one.flags);
}

fn write_event(out: &mut MessageWriter, one: &SpanEvent) {
    out.fixed64(event::TIME, one.unix_ns);
    out.text(event::NAME, &one.name);
    attributes(out, event::ATTRIBUTES, &one.attributes);
}

fn attributes(out: &mut MessageWriter, field: u32, attributes: &Attributes) {
    for (name, value) in &attributes.0 {
        out.message(field, |out| {
            out.text(key_value::KEY, name);
            out.message(key_value::VALUE, |out| any_value(out, value));
        });
    }
}

fn any_value(out: &mut MessageWriter, value: &AttributeValue) {
    match value {
        AttributeValue::Empty => {}
        // A member of a oneof is written even if it has the default value.
        AttributeValue::Text(text) => out.bytes(any_value::TEXT, text.as_bytes()),
        AttributeValue::Bool(is_true) => out.integer(any_value::BOOL, u64::from(*is_true)),
        AttributeValue::Int(number) => out.integer(any_value::INT, number.cast_unsigned()),
        AttributeValue::Float(number) => out.fixed64(any_value::FLOAT, number.to_bits()),
        AttributeValue::Bytes(bytes) => out.bytes(any_value::BYTES, bytes),
        AttributeValue::List(values) => out.message(any_value::LIST, |out| {
            for value in values {
                out.message(VALUES, |out| any_value(out, value));
            }
        }),
        AttributeValue::Map(entries) => {
            out.message(any_value::MAP, |out| attributes(out, VALUES, entries));
        }
    }
}
