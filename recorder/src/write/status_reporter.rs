//! Decides when to report a change of recording. Runs on the writer's thread, so no request waits for an observer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::write::recorder_state::RecorderState;
use crate::write::status_event::StatusEvent;

/// Minimum time between reports of dropped requests.
const PAUSE: Duration = Duration::from_secs(10);

/// Reports status events, and keeps track of what was reported.
pub(crate) struct StatusReporter {
    state: Arc<RecorderState>,
    /// Number of dropped requests in all reports so far.
    reported: u64,
    /// Time of the last report of dropped requests.
    reported_at: Option<Instant>,
    /// Number of dropped requests when recording paused. `None` unless it is paused.
    paused_at: Option<u64>,
}

impl StatusReporter {
    pub(crate) const fn new(state: Arc<RecorderState>) -> Self {
        Self { state, reported: 0, reported_at: None, paused_at: None }
    }

    /// Reports that nothing can be written, once per pause.
    pub(crate) fn paused(&mut self, why: String) {
        if self.paused_at.is_none() {
            self.paused_at = Some(self.state.queue.inbox.dropped());
            self.reported_at = None;
            self.state.report(&StatusEvent::Paused { reason: why.clone() });
        }
        self.state.set_paused(Some(why));
    }

    /// Reports that recording resumed.
    pub(crate) fn resumed(&mut self) {
        self.state.set_paused(None);
        if let Some(before) = self.paused_at.take() {
            self.reported = self.state.queue.inbox.dropped();
            self.reported_at = None;
            self.state.report(&StatusEvent::Resumed { dropped: self.reported - before });
        }
    }

    /// Reports any other event.
    pub(crate) fn report(&self, change: &StatusEvent) {
        self.state.report(change);
    }

    /// Reports requests that were dropped. During a pause they are reported once, and in full when recording resumes.
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
