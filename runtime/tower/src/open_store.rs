//! An open store, its recorder, and the flows that are recorded into it.

use std::sync::Arc;

use zerver::layer::LayerRecorder;
use zerver_recorder::Recorder;
use zerver_trace::{Capture, CaptureSink, EndedRequest, FlowInfo, Kept};

use crate::flow_table::FlowTable;

/// An open store with its recorder. Whatever may be dropped on the recorder's own thread must not own it, because it waits for that
/// thread.
pub(crate) struct OpenStore {
    recorder: LayerRecorder,
    sink: Option<Arc<dyn CaptureSink>>,
    pub(crate) flows: FlowTable,
}

impl OpenStore {
    pub(crate) fn new(recorder: LayerRecorder) -> Self {
        let sink = recorder.recorder().map(Recorder::sink);
        Self { recorder, sink, flows: FlowTable::default() }
    }

    pub(crate) fn recorder(&self) -> Option<&Recorder> {
        self.recorder.recorder()
    }

    pub(crate) const fn body_bytes(&self) -> usize {
        self.recorder.body_bytes()
    }

    pub(crate) const fn has_token(&self) -> bool {
        self.recorder.has_token()
    }

    pub(crate) fn is_token(&self, received: &[u8]) -> bool {
        self.recorder.is_token(received)
    }

    /// Returns the reason to keep a request that has ended, if the recorder's policy keeps it.
    pub(crate) fn decide(&self, ended: &EndedRequest<'_>) -> Option<Kept> {
        self.sink.as_ref()?.decide(ended)
    }

    /// Passes a capture that is kept to the recorder.
    pub(crate) fn accept(&self, capture: Box<Capture>, kept: Kept) {
        if let Some(sink) = &self.sink {
            sink.accept_kept(capture, kept);
        }
    }

    /// Stores the flows that are known so far.
    pub(crate) fn declare(&self, flows: &[Arc<FlowInfo>]) {
        self.recorder.declare(flows);
    }
}
