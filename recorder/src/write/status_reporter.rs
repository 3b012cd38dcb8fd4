//! X

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::write::recorder_state::RecorderState;
use crate::write::status_event::StatusEvent;

/// While requests overflow, that is told so often.
const PAUSE: Duration = Duration::from_secs(10);

/// What has been told so far.
pub(crate) struct StatusReporter {
    state: Arc<RecorderState>,
    /// Dropped requests that have been told of, and when that was.
    reported: u64,
    reported_at: Option<Instant>,
    /// How many had been dropped when recording was paused, while it is.
    paused_at: Option<u64>,
}

impl StatusReporter {
    pub(crate) const fn new(state: Arc<RecorderState>) -> Self {
        Self { state, reported: 0, reported_at: None, paused_at: None }
    }

    /// Nothing could be written. That is told once for each pause.
    pub(crate) fn paused(&mut self, why: String) {
        if self.paused_at.is_none() {
            self.paused_at = Some(self.state.queue.inbox.dropped());
            self.reported_at = None;
            self.state.report(&StatusEvent::Paused { reason: why.clone() });
        }
        self.state.set_paused(Some(why));
    }

    /// It can be written again.
    pub(crate) fn resumed(&mut self) {
        self.state.set_paused(None);
        if let Some(before) = self.paused_at.take() {
            self.reported = self.state.queue.inbox.dropped();
            self.reported_at = None;
            self.state.report(&StatusEvent::Resumed { dropped: self.reported - before });
        }
    }

    /// Something else happened.
    pub(crate) fn report(&self, change: &StatusEvent) {
        self.state.report(change);
    }

    /// Looks whether requests were dropped. While recording is paused that is told once, and in full at its end.
    pub(crate) fn report_drops(&mut self) {
        let dropped = self.state.queue.inbox.dropped();
        let is_soon = self.reported_at.is_some_and(|at| self.paused_at.is_some() || at.elapsed() < PAUSE);
        if dropped > self.reported && !is_soon {
            self.state.report(&StatusEvent::Dropped {
                count: dropped - self.reported,
                is_paused: self.paused_at.is_some(),
            });
            (self.reported, self.reported_at) = (dropped, Some(Instant::now()));
        }
    }
}
