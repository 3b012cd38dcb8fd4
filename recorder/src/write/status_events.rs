//! Tells the owner of a recorder when recording stops and goes on. It is called by the writer's thread alone, so that
//! no request waits for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::write::recorder_state::Shared;

/// While requests overflow, that is told so often.
const PAUSE: Duration = Duration::from_secs(10);

/// What may happen to recording while requests go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing can be written now. It is tried again every second; meanwhile the queue fills up.
    Paused {
        /// What is in the way.
        why: String,
    },
    /// It can be written again, and what had waited was.
    Resumed {
        /// Requests that were dropped meanwhile, because the queue was full.
        dropped: u64,
    },
    /// The queue was full.
    Overflowed {
        /// Requests that were dropped since this was told last.
        dropped: u64,
        /// Whether that is because recording is paused.
        is_paused: bool,
    },
    /// The store was removed, or another file was put in its place. It was made anew, or what is there now is used, and
    /// recording goes on.
    Moved {
        /// The file.
        path: PathBuf,
    },
    /// The file was larger than the store may be, and was compacted.
    Compacted {
        /// Its length before, in bytes.
        from: u64,
        /// Its length now, in bytes.
        to: u64,
    },
    /// The file is larger than the store may be, and cannot be compacted now. It is tried again.
    Oversized {
        /// Its length, in bytes.
        bytes: u64,
        /// What it may be, in bytes.
        max: u64,
        /// What is in the way.
        why: String,
    },
    /// The clock and the times of what is recorded are further apart than a service rests. Requests are removed for their age
    /// only as time passes here.
    ClockDiffers {
        /// How far the clock is from the newest request.
        by: Duration,
        /// Whether it is ahead of it, and not behind.
        is_ahead: bool,
    },
    /// The writer is gone, which is a bug; nothing is recorded any more.
    Stopped {
        /// In what way it went.
        why: String,
    },
}

/// What has been told so far.
pub(crate) struct Teller {
    shared: Arc<Shared>,
    /// Dropped requests that have been told of, and when that was.
    told: u64,
    told_at: Option<Instant>,
    /// How many had been dropped when recording was paused, while it is.
    paused_at: Option<u64>,
}

impl Teller {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, told: 0, told_at: None, paused_at: None }
    }

    /// Nothing could be written. That is told once for each pause.
    pub(crate) fn paused(&mut self, why: String) {
        if self.paused_at.is_none() {
            self.paused_at = Some(self.shared.queue.inbox.overflowed());
            self.told_at = None;
            self.shared.tell(&Change::Paused { why: why.clone() });
        }
        self.shared.set_paused(Some(why));
    }

    /// It can be written again.
    pub(crate) fn resumed(&mut self) {
        self.shared.set_paused(None);
        if let Some(before) = self.paused_at.take() {
            self.told = self.shared.queue.inbox.overflowed();
            self.told_at = None;
            self.shared.tell(&Change::Resumed { dropped: self.told - before });
        }
    }

    /// Something else happened.
    pub(crate) fn tell(&self, change: &Change) {
        self.shared.tell(change);
    }

    /// Looks whether requests were dropped. While recording is paused that is told once, and in full at its end.
    pub(crate) fn look(&mut self) {
        let overflowed = self.shared.queue.inbox.overflowed();
        let is_soon = self.told_at.is_some_and(|at| self.paused_at.is_some() || at.elapsed() < PAUSE);
        if overflowed > self.told && !is_soon {
            self.shared.tell(&Change::Overflowed {
                dropped: overflowed - self.told,
                is_paused: self.paused_at.is_some(),
            });
            (self.told, self.told_at) = (overflowed, Some(Instant::now()));
        }
    }
}
