//! A span of the process that records its request, as a call. It becomes the same as when it is exported and imported, except
//! that its secrets are left to the recorder.

use std::sync::Arc;

use zerver_trace::value::Encoder;
use zerver_trace::{Answer, Recordable, SharedValue, ValueError};

use super::attribute_masks::Masks;
use super::effect_of_span::{SpanCall, SpanOutput, end, kind};
use super::span_tree::SpanNode;
use crate::otlp::{Attributes, Span};

/// Attributes of the service that records: none.
static NO_ATTRIBUTES: Attributes = Attributes(Vec::new());

/// A span of this process. Its ids and times do not matter.
#[derive(Debug, Clone)]
pub struct LiveSpan {
    /// The span.
    pub span: Span,
    /// Number of spans above it within its request, from 1.
    pub depth: usize,
}

impl LiveSpan {
    /// Returns the kind of effect that the span is shown as, such as `sql`.
    pub fn kind(&self) -> String {
        kind(self.node())
    }

    /// Returns how the call ended, as far as the span knows.
    pub fn answer(&self) -> Answer<SharedValue> {
        end(self.node(), &self.kind(), &Masks::NONE).map(|output| Arc::new(Output(output)) as SharedValue)
    }

    fn call(&self) -> SpanCall<'_> {
        SpanCall::new(self.node(), &self.kind(), self.depth, "", &Masks::NONE)
    }

    const fn node(&self) -> SpanNode<'_> {
        SpanNode { span: &self.span, service: "", resource: &NO_ATTRIBUTES, is_own: false, is_live: true }
    }
}

/// The arguments of the call.
impl Recordable for LiveSpan {
    fn encode(&self, out: &mut Encoder) -> Result<(), ValueError> {
        out.put(&self.call().args)
    }

    fn summary(&self) -> Option<String> {
        Some(self.call().summary)
    }
}

struct Output(SpanOutput);

impl Recordable for Output {
    fn encode(&self, out: &mut Encoder) -> Result<(), ValueError> {
        out.put(&self.0)
    }

    fn summary(&self) -> Option<String> {
        self.0.summary()
    }
}
