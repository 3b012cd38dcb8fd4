//! Decodes spans from Protocol Buffers, from untrusted sources.

use super::field_numbers::{
    VALUES, any_value, batch, event, key_value, resource, resource_spans, response, scope, scope_spans, span,
    status,
};
use super::wire::{FieldReader, FieldValue, Malformed};
use crate::otlp::limits::{MAX_DEPTH, MemoryBudget};
use crate::otlp::{
    AttributeValue, Attributes, OverBudget, ResourceSpans, ScopeSpans, Span, SpanBatch, SpanEvent, SpanKind,
    Status, StatusCode,
};

/// Reason why bytes are not the spans of OTLP in Protocol Buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// The bytes are no Protocol Buffers, or end within a field.
    #[error("not Protocol Buffers, or cut off")]
    Malformed,
    /// The bytes are few, and their spans would take a lot of memory.
    #[error(transparent)]
    TooLarge(#[from] OverBudget),
    /// A value contains values too deeply.
    #[error("a value is nested more than {MAX_DEPTH} deep")]
    TooDeep,
}

impl From<Malformed> for ProtobufError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

type Decoded<T> = Result<T, ProtobufError>;

/// Decodes an `ExportTraceServiceRequest` or a `TracesData`. Unknown fields are left out.
///
/// # Errors
/// If the bytes are malformed, or exceed a limit.
pub fn decode(bytes: &[u8]) -> Decoded<SpanBatch> {
    let mut decoder = Decoder { budget: MemoryBudget::for_input(bytes.len()) };
    let mut spans = SpanBatch::default();
    decoder.each(bytes, |decoder, field, value| {
        if field == batch::RESOURCE_SPANS {
            let resource = decoder.resource_spans(value.bytes())?;
            decoder.budget.push(&mut spans.resources, resource)?;
        }
        Ok(())
    })?;
    Ok(spans)
}

/// Decodes an `ExportTraceServiceResponse`, the answer of a collector: the number of rejected spans, and a message. `None`
/// if it has accepted everything, or its answer is malformed.
pub fn decode_partial_success(bytes: &[u8]) -> Option<(u64, String)> {
    let (mut partial, mut fields) = (None, FieldReader::new(bytes));
    while let Some((field, value)) = fields.next().ok()? {
        if field == response::PARTIAL_SUCCESS {
            partial = Some(value.bytes());
        }
    }
    let (mut rejected, mut message, mut fields) = (0, String::new(), FieldReader::new(partial?));
    while let Some((field, value)) = fields.next().ok()? {
        match field {
            response::REJECTED_SPANS => rejected = value.number(),
            response::ERROR_MESSAGE => message = value.text(),
            _ => {}
        }
    }
    Some((rejected, message))
}

/// Decodes messages, and counts what they take: an empty message takes two bytes in a file, and two hundred in memory.
struct Decoder {
    budget: MemoryBudget,
}

impl Decoder {
    fn each<'a>(
        &mut self,
        message: &'a [u8],
        mut visit: impl FnMut(&mut Self, u32, FieldValue<'a>) -> Decoded<()>,
    ) -> Decoded<()> {
        let mut fields = FieldReader::new(message);
        while let Some((field, value)) = fields.next()? {
            visit(self, field, value)?;
        }
        Ok(())
    }

    fn resource_spans(&mut self, message: &[u8]) -> Decoded<ResourceSpans> {
        let mut spans = ResourceSpans::default();
        self.each(message, |decoder, field, value| {
            match field {
                resource_spans::RESOURCE => decoder.each(value.bytes(), |decoder, field, value| {
                    if field == resource::ATTRIBUTES {
                        decoder.attribute(value.bytes(), &mut spans.attributes, 0)?;
                    }
                    Ok(())
                })?,
                resource_spans::SCOPE_SPANS | resource_spans::LIBRARY_SPANS => {
                    let scope = decoder.scope_spans(value.bytes())?;
                    decoder.budget.push(&mut spans.scopes, scope)?;
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(spans)
    }

    fn scope_spans(&mut self, message: &[u8]) -> Decoded<ScopeSpans> {
        let mut spans = ScopeSpans::default();
        self.each(message, |decoder, field, value| {
            match field {
                scope_spans::SCOPE => decoder.each(value.bytes(), |decoder, field, value| {
                    match field {
                        scope::NAME => spans.name = decoder.text(value)?,
                        scope::VERSION => spans.version = decoder.text(value)?,
                        _ => {}
                    }
                    Ok(())
                })?,
                scope_spans::SPANS => {
                    let span = decoder.span(value.bytes())?;
                    decoder.budget.push(&mut spans.spans, span)?;
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(spans)
    }

    fn span(&mut self, message: &[u8]) -> Decoded<Span> {
        let mut one = Span::default();
        self.each(message, |decoder, field, value| {
            match field {
                span::TRACE_ID => {
                    one.trace_id = value.bytes().try_into().map_or(0, u128::from_be_bytes);
                }
                span::SPAN_ID => one.span_id = value.bytes().try_into().map_or(0, u64::from_be_bytes),
                span::TRACE_STATE => one.trace_state = decoder.text(value)?,
                span::PARENT_SPAN_ID => {
                    one.parent_span_id = value.bytes().try_into().map_or(0, u64::from_be_bytes);
                }
                span::NAME => one.name = decoder.text(value)?,
                span::KIND => one.kind = numbered(&SpanKind::ALL, value),
                span::START => one.start_unix_ns = value.number(),
                span::END => one.end_unix_ns = value.number(),
                span::ATTRIBUTES => decoder.attribute(value.bytes(), &mut one.attributes, 0)?,
                span::EVENTS => {
                    let event = decoder.event(value.bytes())?;
                    decoder.budget.push(&mut one.events, event)?;
                }
                span::STATUS => one.status = decoder.status(value.bytes())?,
                span::FLAGS => one.flags = value.number() as u32,
                _ => {}
            }
            Ok(())
        })?;
        Ok(one)
    }

    fn event(&mut self, message: &[u8]) -> Decoded<SpanEvent> {
        let mut one = SpanEvent::default();
        self.each(message, |decoder, field, value| {
            match field {
                event::TIME => one.unix_ns = value.number(),
                event::NAME => one.name = decoder.text(value)?,
                event::ATTRIBUTES => decoder.attribute(value.bytes(), &mut one.attributes, 0)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(one)
    }

    fn status(&mut self, message: &[u8]) -> Decoded<Status> {
        let mut one = Status::default();
        self.each(message, |decoder, field, value| {
            match field {
                status::MESSAGE => one.message = decoder.text(value)?,
                status::CODE => one.code = numbered(&StatusCode::ALL, value),
                _ => {}
            }
            Ok(())
        })?;
        Ok(one)
    }

    fn attribute(&mut self, message: &[u8], into: &mut Attributes, depth: usize) -> Decoded<()> {
        let (mut name, mut content) = (String::new(), AttributeValue::Empty);
        self.each(message, |decoder, field, value| {
            match field {
                key_value::KEY => name = decoder.text(value)?,
                key_value::VALUE => content = decoder.any_value(value.bytes(), depth)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(self.budget.push(&mut into.0, (name, content))?)
    }

    /// Returns a text. Bytes that are not UTF-8 are replaced, which takes up to three times as many.
    fn text(&mut self, value: FieldValue<'_>) -> Decoded<String> {
        let text = value.text();
        self.budget.take(text.len())?;
        Ok(text)
    }

    fn any_value(&mut self, message: &[u8], depth: usize) -> Decoded<AttributeValue> {
        if depth >= MAX_DEPTH {
            return Err(ProtobufError::TooDeep);
        }
        let mut content = AttributeValue::Empty;
        self.each(message, |decoder, field, value| {
            content = match field {
                any_value::TEXT => AttributeValue::Text(decoder.text(value)?),
                any_value::BOOL => AttributeValue::Bool(value.number() != 0),
                any_value::INT => AttributeValue::Int(value.number().cast_signed()),
                any_value::FLOAT => AttributeValue::Float(f64::from_bits(value.number())),
                any_value::BYTES => {
                    decoder.budget.take(value.bytes().len())?;
                    AttributeValue::Bytes(value.bytes().to_owned())
                }
                any_value::LIST => {
                    let mut values = Vec::new();
                    decoder.each(value.bytes(), |decoder, field, value| {
                        if field == VALUES {
                            let value = decoder.any_value(value.bytes(), depth + 1)?;
                            decoder.budget.push(&mut values, value)?;
                        }
                        Ok(())
                    })?;
                    AttributeValue::List(values)
                }
                any_value::MAP => {
                    let mut entries = Attributes::default();
                    decoder.each(value.bytes(), |decoder, field, value| {
                        if field == VALUES {
                            decoder.attribute(value.bytes(), &mut entries, depth + 1)?;
                        }
                        Ok(())
                    })?;
                    AttributeValue::Map(entries)
                }
                _ => return Ok(()),
            };
            Ok(())
        })?;
        Ok(content)
    }
}

/// Returns the member of an enum with this number; the first one, which states nothing, for an unknown number.
fn numbered<T: Copy>(all: &[T], value: FieldValue<'_>) -> T {
    usize::try_from(value.number()).ok().and_then(|number| all.get(number)).copied().unwrap_or(all[0])
}
