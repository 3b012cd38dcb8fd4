//! The spans of a trace, following the semantic conventions of OpenTelemetry for HTTP and databases (1.27 and later).
//!
//! A request is a span of kind `SERVER`, a run of a step one of kind `INTERNAL`, and an attempt of an effect one of kind
//! `CLIENT` or `INTERNAL`. What the conventions have no name for is below `zerver`.

mod effect_span;
mod http_call;
mod imported_span;
mod request_headers;
mod request_span;
mod span_context;
mod sql_call;
mod sql_summary;
mod step_span;
mod url_parts;

use zerver_analysis::Timeline;
use zerver_trace::{SpanId, Trace};

use crate::otlp::{Attributes, ResourceSpans, ScopeSpans, Span, SpanBatch};
use span_context::SpanContext;

pub(crate) use request_headers::header_text;
pub use span_context::ExportOptions;
pub(crate) use url_parts::UrlParts;

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
        let parent = if !trace.has_steps() && run.decision.is_none() {
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
