//! Traces of the spans of any service.
//!
//! A span without a parent in the file becomes a request, and the spans below it become its effects, in the order of the
//! tree. Spans that zerver has exported become runs of steps again. Other tracers do not know what zerver records besides:
//! CPU time, queues, slots and bodies are not there, and the trace says so ([`Kept::Imported`](zerver_trace::Kept)) instead
//! of showing zeros.

mod attribute_masks;
mod effect_of_span;
mod live_span;
mod request_of_span;
mod span_tree;
mod step_of_span;
mod trace_builder;

use zerver_trace::Trace;

pub use live_span::LiveSpan;

use crate::otlp::SpanBatch;
use crate::protobuf;
use crate::{JsonError, decode_json};
use span_tree::SpanTree;

/// Reason why bytes contain no spans.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The bytes are text, and not OTLP/JSON.
    #[error("not OTLP/JSON")]
    Json(#[source] JsonError),
    /// The bytes are not text, and not OTLP in Protocol Buffers.
    #[error("not OTLP in Protocol Buffers")]
    Protobuf(#[source] protobuf::ProtobufError),
    /// There is no span in them.
    #[error("it contains no spans")]
    Empty,
}

/// Decodes spans from an untrusted source: OTLP/JSON if the first character is a bracket, and Protocol Buffers otherwise.
///
/// # Errors
/// If the bytes are neither, exceed a limit, or contain no span.
pub fn decode_spans(bytes: &[u8]) -> Result<SpanBatch, ImportError> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let spans = match first {
        Some(b'{' | b'[') => decode_json(bytes).map_err(ImportError::Json)?,
        _ => protobuf::decode(bytes).map_err(ImportError::Protobuf)?,
    };
    if spans.span_count() == 0 { Err(ImportError::Empty) } else { Ok(spans) }
}

/// Returns the traces of spans, oldest first: one for each span whose parent is not among them. Ids follow from those of the
/// spans, so that importing spans twice gives the same traces. Each trace is built when it is asked for, since it takes more
/// memory than its spans.
pub fn traces_of(spans: &SpanBatch) -> impl Iterator<Item = Trace> {
    let tree = SpanTree::new(spans);
    let mut roots: Vec<_> =
        tree.roots().map(|root| (trace_builder::start_unix_ns(&tree, root), root)).collect();
    roots.sort_unstable();
    roots.into_iter().map(move |(_, root)| trace_builder::trace(&tree, root))
}
