//! Tells the owner of a recorder when recording stops and goes on. It is called by the writer's thread alone, so that
//! no request waits for it.

use std::path::PathBuf;
use std::time::Duration;

/// What may happen to recording while requests go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusEvent {
    /// Nothing can be written now. It is tried again every second; meanwhile the queue fills up.
    Paused {
        /// What is in the way.
        reason: String,
    },
    /// It can be written again, and what had waited was.
    Resumed {
        /// Requests that were dropped meanwhile, because the queue was full.
        dropped: u64,
    },
    /// The queue was full.
    Dropped {
        /// Requests that were dropped since this was told last.
        count: u64,
        /// Whether that is because recording is paused.
        is_paused: bool,
    },
    /// The store was removed, or another file was put in its place. It was made anew, or what is there now is used, and
    /// recording goes on.
    StoreReplaced {
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
        reason: String,
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
        reason: String,
    },
}
