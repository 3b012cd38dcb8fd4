//! Events that a recorder reports to its owner.

use std::path::PathBuf;
use std::time::Duration;

/// A change of recording that is worth a message to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusEvent {
    /// Recording paused, because nothing can be written. A retry follows every second, and the queue fills up
    /// meanwhile.
    Paused {
        /// The cause.
        reason: String,
    },
    /// Recording resumed, and the waiting requests were written.
    Resumed {
        /// Requests that were dropped meanwhile, because the queue was full.
        dropped: u64,
    },
    /// Requests were dropped because the queue was full.
    Dropped {
        /// Number of requests since the last report.
        count: u64,
        /// True if recording is paused.
        is_paused: bool,
    },
    /// The store was removed or replaced. A new one was created, or the one found there is used, and recording
    /// continues.
    StoreReplaced {
        /// Path of the file.
        path: PathBuf,
    },
    /// The file exceeded its limit, and was compacted.
    Compacted {
        /// Previous length, in bytes.
        from: u64,
        /// New length, in bytes.
        to: u64,
    },
    /// The file exceeds its limit, and cannot be compacted now. A retry follows.
    Oversized {
        /// Length of the file, in bytes.
        bytes: u64,
        /// Limit, in bytes.
        max: u64,
        /// The obstacle.
        reason: String,
    },
    /// The wall clock is implausibly far from the times of the recorded requests. Traces expire only by time that
    /// passes while a recorder runs.
    ClockDiffers {
        /// Time between the wall clock and the newest request.
        by: Duration,
        /// True if the wall clock is ahead.
        is_ahead: bool,
    },
    /// The writer panicked, which is a bug. Nothing is recorded any more.
    Stopped {
        /// Message of the panic.
        reason: String,
    },
}
