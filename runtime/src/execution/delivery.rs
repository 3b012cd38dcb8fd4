//! A capture on its way to the sink: it goes there when its response has been written, so that the trace says whether it
//! was.

use std::sync::Arc;

use zerver_trace::{Capture, Kept};

use crate::server::service::WorkerService;

/// A capture that is to be kept. Dropped before its response was written, it says so.
pub(crate) struct Delivery {
    service: Arc<WorkerService>,
    /// None once it has been handed over.
    capture: Option<(Box<Capture>, Kept)>,
}

impl Delivery {
    pub(crate) const fn new(service: Arc<WorkerService>, capture: Box<Capture>, kept: Kept) -> Self {
        Self { service, capture: Some((capture, kept)) }
    }

    /// The response has been written.
    pub(crate) fn succeeds(mut self) {
        self.hand_over(false);
    }

    fn hand_over(&mut self, undelivered: bool) {
        if let (Some((mut capture, kept)), Some(sink)) = (self.capture.take(), &self.service.sink) {
            capture.is_undelivered = undelivered;
            sink.accept_selected(capture, kept);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.hand_over(true);
    }
}
