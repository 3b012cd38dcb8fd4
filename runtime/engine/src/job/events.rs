//! What a job records of itself.

use zerver_trace::{Event, SharedValue};

/// How many events of one request are recorded; the rest is counted.
pub const MAX_EVENTS: usize = 10_000;

/// The events of a job; nothing is made of them where nothing is recorded.
#[derive(Default)]
pub(super) struct Events {
    /// None where nothing is recorded.
    pub(super) kept: Option<Vec<Event<SharedValue>>>,
    pub(super) dropped: u32,
}

impl Events {
    pub(super) fn record(&mut self, event: impl FnOnce() -> Event<SharedValue>) {
        let Some(kept) = &mut self.kept else { return };
        if kept.len() < MAX_EVENTS {
            kept.push(event());
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}
