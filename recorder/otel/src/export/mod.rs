//! The spans of a trace, following the semantic conventions of OpenTelemetry for HTTP and databases (1.27 and later).
//!
//! A request is a span of kind `SERVER`, a run of a step one of kind `INTERNAL`, and an attempt of an effect one of kind
//! `CLIENT` or `INTERNAL`. What the conventions have no name for is below `zerver`.

mod effect_span;
mod http_call;
mod imported_span;
mod request_headers;
mod request_span;
mod sql_call;
mod sql_summary;
mod step_span;
mod url_parts;

use zerver_analysis::Timeline;
use zerver_trace::{Kept, SpanId, Trace, TraceParent};

use crate::otlp::{Attributes, ResourceSpans, ScopeSpans, Span, SpanBatch, SpanEvent};

pub(crate) use http_call::HttpCall;
pub(crate) use request_headers::header_text;
pub(crate) use url_parts::UrlParts;

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
const IS_REMOTE: u32 = 1 << 9;

/// Returns the spans of traces. The ids of the spans follow from those of the requests, so that exporting a trace twice
/// gives the same spans.
pub fn spans_of<'t>(traces: impl IntoIterator<Item = &'t Trace>, options: &ExportOptions) -> SpanBatch {
    let mut resource = Attributes::default();
    let name = if options.service_name.is_empty() { "unknown_service" } else { &options.service_name };
    resource.add("service.name", name);
    let mut scope = ScopeSpans {
        name: "zerver".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..ScopeSpans::default()
    };
    for trace in traces {
        add_spans(trace, options, &mut scope.spans);
    }
    SpanBatch { resources: vec![ResourceSpans { attributes: resource, scopes: vec![scope] }] }
}

fn add_spans(trace: &Trace, options: &ExportOptions, spans: &mut Vec<Span>) {
    let timeline = Timeline::of(trace);
    let context = SpanContext::new(trace);
    spans.push(request_span::request_span(&context, &timeline));
    for (number, run) in (0..).zip(&timeline.runs) {
        // The step that stands for the spans of another tracer is none of them.
        let parent = if trace.kept == Kept::Imported && run.decision.is_none() {
            SpanId::of_request(trace.id).as_u64()
        } else {
            let step = step_span::step_span(&context, run, number, options);
            let parent = step.span_id;
            spans.push(step);
            parent
        };
        for effect in &run.effects {
            let attempts = effect.attempts.iter();
            spans.extend(
                attempts.map(|attempt| effect_span::effect_span(&context, effect, attempt, parent, options)),
            );
        }
    }
}

/// What the spans of one trace have in common.
pub(crate) struct SpanContext<'t> {
    pub(crate) trace: &'t Trace,
    /// `traceparent` with which the request came.
    parent: Option<TraceParent>,
    trace_state: String,
}

impl<'t> SpanContext<'t> {
    pub(crate) fn new(trace: &'t Trace) -> Self {
        let parent = header_text(trace, "traceparent").and_then(|text| TraceParent::parse(&text));
        let trace_state = parent.and_then(|_| header_text(trace, "tracestate")).unwrap_or_default();
        Self { trace, parent, trace_state }
    }

    /// Returns a span of the trace with these times, relative to the arrival of the request.
    fn span(&self, id: SpanId, start_ns: u64, end_ns: u64) -> Span {
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

    fn event(&self, at_ns: u64, name: &str) -> SpanEvent {
        SpanEvent { unix_ns: self.unix_ns(at_ns), name: name.to_owned(), attributes: Attributes::default() }
    }
}
