//! Drain stage of a worker when the service stops.

use std::cell::Cell;

/// Current drain stage of a worker.
#[derive(Default)]
pub(crate) struct DrainState(Cell<DrainStage>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum DrainStage {
    #[default]
    Serving,
    /// Each connection closes with its next response.
    Graceful,
    /// Idle connections close, too.
    Forced,
}

impl DrainState {
    pub(crate) fn set(&self, stage: DrainStage) {
        self.0.set(stage);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.get() != DrainStage::Serving
    }

    /// Returns true if a connection must be shut down.
    pub(crate) fn closes_connection(&self, is_busy: bool) -> bool {
        match self.0.get() {
            DrainStage::Serving => false,
            DrainStage::Graceful => is_busy,
            DrainStage::Forced => true,
        }
    }
}
