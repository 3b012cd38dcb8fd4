//! The fields of a span as attributes of OpenTelemetry. The names that `tracing-opentelemetry` gives a meaning have it here, too.

use std::fmt;

use tracing::field::{Field, Visit};
use zerver_otel::{AttributeValue, Span, SpanKind, StatusCode};

/// Maximum number of fields of a span. Further ones are left out.
const MAX_FIELDS: usize = 64;
/// Maximum length of a text, in bytes.
pub(super) const MAX_TEXT: usize = 16 << 10;

/// Writes fields into a span.
pub(super) struct SpanFields<'a>(pub(super) &'a mut Span);

impl SpanFields<'_> {
    fn add(&mut self, field: &Field, value: impl Into<AttributeValue>) {
        let attributes = &mut self.0.attributes;
        if attributes.0.len() < MAX_FIELDS {
            attributes.add(field.name(), value);
        }
    }

    fn add_text(&mut self, field: &Field, mut text: String) {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        match field.name() {
            "otel.name" => self.0.name = text,
            "otel.kind" => {
                let kind = SpanKind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(&text));
                self.0.kind = kind.unwrap_or_default();
            }
            "otel.status_code" => {
                self.0.status.code = match text.to_ascii_lowercase().as_str() {
                    "error" => StatusCode::Error,
                    "ok" => StatusCode::Ok,
                    _ => StatusCode::Unset,
                };
            }
            "otel.status_message" | "otel.status_description" => self.0.status.message = text,
            _ => self.add(field, text),
        }
    }
}

impl Visit for SpanFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add_text(field, value.to_owned());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, AttributeValue::Int(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, AttributeValue::Float(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add_text(field, format!("{value:?}"));
    }
}
