//! Conversions of traces to and from formats that other tools read.
//!
//! [`spans_of`] turns a trace into the spans of OpenTelemetry, and [`traces_of`] turns spans of any service into traces.
//! [`chrome_trace`], [`har`] and [`folded_stacks`] write the formats of the same names. Everything here takes and returns
//! plain data: nothing is opened, sent or printed. What is decoded may be hostile, and its size, depth and number of
//! parts are bounded. Secrets leave as the masks that the recorder put in their place.

#![warn(missing_debug_implementations)]

mod export;
mod files;
mod import;
mod otlp;
pub mod protobuf;

pub use export::{ExportOptions, spans_of};
pub use files::{chrome_trace, folded_stacks, har};
pub use import::{ImportError, LiveSpan, decode_spans, traces_of};
pub use otlp::{
    AttributeValue, Attributes, JsonError, OverBudget, ResourceSpans, ScopeSpans, Span, SpanBatch, SpanEvent,
    SpanKind, Status, StatusCode, decode_json, encode_json,
};
