//! A capture that waits until its response has been written, so that the trace shows whether the response was delivered.

use std::sync::Arc;

use zerver_trace::{Capture, Kept};

use crate::server::service::WorkerService;

/// A capture that is kept. If it is dropped before its response was written, the response is recorded as undelivered.
pub(crate) struct Delivery {
    service: Arc<WorkerService>,
    /// `None` once the sink has the capture.
    capture: Option<(Box<Capture>, Kept)>,
}

impl Delivery {
    pub(crate) const fn new(service: Arc<WorkerService>, capture: Box<Capture>, kept: Kept) -> Self {
        Self { service, capture: Some((capture, kept)) }
    }

    /// Passes the capture to the sink, because the response has been written.
    pub(crate) fn complete(mut self) {
        self.hand_over(false);
    }

    fn hand_over(&mut self, is_undelivered: bool) {
        if let (Some((mut capture, kept)), Some(sink)) = (self.capture.take(), &self.service.sink) {
            capture.is_undelivered = is_undelivered;
            sink.accept_kept(capture, kept);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.hand_over(true);
    }
}
