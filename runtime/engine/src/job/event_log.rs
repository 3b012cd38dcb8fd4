//! Events that a job records. It only collects them; the driver hands them to a recorder.

use zerver_trace::{Event, SharedValue};

/// Maximum number of recorded events per request. Further ones are only counted.
pub const MAX_EVENTS: usize = 10_000;

/// Events of one job. Without recording, events are not even constructed.
#[derive(Default)]
pub(super) struct EventLog {
    /// `None` if nothing is recorded.
    pub(super) events: Option<Vec<Event<SharedValue>>>,
    pub(super) dropped: u32,
}

impl EventLog {
    pub(super) fn record(&mut self, event: impl FnOnce() -> Event<SharedValue>) {
        let Some(events) = &mut self.events else { return };
        if events.len() < MAX_EVENTS {
            events.push(event());
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}
