//! Spans as OpenTelemetry exchanges them, and their JSON form. The binary form is in `protobuf`.

mod json_decode;
mod json_encode;
mod json_fields;
pub(crate) mod limits;
mod model;

pub use json_decode::{JsonError, decode_json};
pub use json_encode::encode_json;
pub use limits::OverBudget;
pub use model::{
    AttributeValue, Attributes, ResourceSpans, ScopeSpans, Span, SpanBatch, SpanEvent, SpanKind, Status,
    StatusCode,
};
