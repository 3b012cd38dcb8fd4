//! Progress of a worker towards its end when the service stops.

use std::cell::Cell;

/// How far a worker is with stopping.
#[derive(Default)]
pub(crate) struct Drain(Cell<Stage>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    #[default]
    No,
    /// Each connection closes with its next answer.
    Gentle,
    /// Idle connections close as well.
    Firm,
}

impl Drain {
    pub(crate) fn set(&self, stage: Stage) {
        self.0.set(stage);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.get() != Stage::No
    }

    /// Whether a connection is to be told so.
    pub(crate) fn is_over_for(&self, busy: bool) -> bool {
        match self.0.get() {
            Stage::No => false,
            Stage::Gentle => busy,
            Stage::Firm => true,
        }
    }
}
