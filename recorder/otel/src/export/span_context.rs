//! Settings of an export, and what the spans of one trace have in common.

use zerver_trace::{SpanId, Trace, TraceParent};

use super::request_headers::header_text;
use crate::otlp::{Attributes, Span, SpanEvent};

/// Settings of an export.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// Name of the service; empty if it is unknown.
    pub service_name: String,
    /// True to export the values of slots and of SQL parameters. Secrets stay masked.
    pub with_values: bool,
}

/// Bit of [`Span::flags`] that makes [`IS_REMOTE`] valid.
const HAS_IS_REMOTE: u32 = 1 << 8;
/// Bit of [`Span::flags`] for a parent in another process.
pub(super) const IS_REMOTE: u32 = 1 << 9;

/// Parts that all spans of one trace share.
pub(super) struct SpanContext<'t> {
    pub(super) trace: &'t Trace,
    /// `traceparent` with which the request came.
    pub(super) parent: Option<TraceParent>,
    trace_state: String,
}

impl<'t> SpanContext<'t> {
    pub(super) fn new(trace: &'t Trace) -> Self {
        let parent = header_text(trace, "traceparent").and_then(|text| TraceParent::parse(&text));
        let trace_state = parent.and_then(|_| header_text(trace, "tracestate")).unwrap_or_default();
        Self { trace, parent, trace_state }
    }

    /// Returns a span of the trace with these times, relative to the arrival of the request.
    pub(super) fn span(&self, id: SpanId, start_ns: u64, end_ns: u64) -> Span {
        let trace_id = self.parent.map_or_else(|| self.trace.id.as_u128(), |parent| parent.trace_id);
        Span {
            trace_id,
            span_id: id.as_u64(),
            trace_state: self.trace_state.clone(),
            // A trace that exists was recorded, whatever its parent knew.
            flags: self.parent.map_or(1, |parent| u32::from(parent.flags)) | HAS_IS_REMOTE,
            start_unix_ns: self.unix_ns(start_ns),
            end_unix_ns: self.unix_ns(start_ns.max(end_ns)),
            ..Span::default()
        }
    }

    fn unix_ns(&self, at_ns: u64) -> u64 {
        self.trace.started_unix_ns.saturating_add(at_ns)
    }

    pub(super) fn event(&self, at_ns: u64, name: &str) -> SpanEvent {
        SpanEvent { unix_ns: self.unix_ns(at_ns), name: name.to_owned(), attributes: Attributes::default() }
    }
}
