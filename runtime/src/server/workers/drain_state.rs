//! Progress of a worker towards its end when the service stops.

use std::cell::Cell;

/// How far a worker is with stopping.
#[derive(Default)]
pub(crate) struct DrainState(Cell<DrainStage>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum DrainStage {
    #[default]
    Serving,
    /// Each connection closes with its next answer.
    Graceful,
    /// Idle connections close as well.
    Forced,
}

impl DrainState {
    pub(crate) fn set(&self, stage: DrainStage) {
        self.0.set(stage);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.get() != DrainStage::Serving
    }

    /// Whether a connection is to be told so.
    pub(crate) fn closes_connection(&self, busy: bool) -> bool {
        match self.0.get() {
            DrainStage::Serving => false,
            DrainStage::Graceful => busy,
            DrainStage::Forced => true,
        }
    }
}
