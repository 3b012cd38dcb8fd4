//! Keeps the file of a store within its limit.
//!
//! Retention keeps the contents well below the limit. But redb's file grows by doubling, and shrinks only if its end is
//! free. A file that the next doubling could take past the limit is therefore closed and opened again, which extends it
//! to exactly the limit (see `write_store`). A file that is longer, for example because the limit was lowered, loses
//! its free end in the same way, and is compacted if that is not enough.
//!
//! Compaction takes a while, during which the queue is not read. So it is done only if the captures that are expected
//! meanwhile fit the queue.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Writer;
use crate::backend::write_store::{WriteStore, preallocated_len};
use crate::write::status_event::StatusEvent;

/// Speed of compaction on a slow disk, in bytes per second.
const COMPACT_BYTES_PER_SECOND: u64 = 32 << 20;
/// Minimum time from a failed attempt to the next one.
const PAUSE: Duration = if cfg!(test) { Duration::from_millis(10) } else { Duration::from_secs(2) };
/// Pause after an attempt, as a multiple of its duration.
const PAUSE_FACTOR: u32 = 20;
/// Time over which the rate of captures is measured.
const RATE_WINDOW: Duration = Duration::from_millis(500);
/// Time after which an oversized file is reported.
const REPORT_AFTER: Duration = Duration::from_secs(10);

/// The length of the file, and the rate of captures.
#[derive(Debug)]
pub(super) struct SizeLimit {
    bytes: u64,
    /// Time at which the file was found too large, and true if that was reported.
    too_large: Option<(Instant, bool)>,
    next_try: Option<Instant>,
    since: Instant,
    took: usize,
    /// Last measured rate of captures, per second.
    rate: f64,
}

impl SizeLimit {
    pub(super) fn new(bytes: u64) -> Self {
        Self { bytes, too_large: None, next_try: None, since: Instant::now(), took: 0, rate: 0.0 }
    }

    pub(super) fn set_file_size(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    /// Returns the time for which the writer may sleep, which is shorter while the file is too large.
    pub(super) fn max_sleep(&self, at_most: Duration) -> Duration {
        if self.too_large.is_some() { at_most.min(PAUSE) } else { at_most }
    }

    /// Counts captures for the measurement of their rate.
    pub(super) fn count_captures(&mut self, took: usize) {
        self.took += took;
        let measured = self.since.elapsed();
        if measured >= RATE_WINDOW {
            self.rate = self.took as f64 / measured.as_secs_f64();
            (self.since, self.took) = (Instant::now(), 0);
        }
    }
}

impl Writer {
    /// Keeps the file from outgrowing its limit, and shrinks a file that is too large if this is a good time.
    pub(super) fn enforce_size_limit(&mut self) {
        let Some(max) = self.retention.max_bytes() else { return };
        let is_busy = self.retry_at.is_some() || self.pending > 0 || !self.batch.is_empty();
        if is_busy || self.size_limit.next_try.is_some_and(|at| Instant::now() < at) {
            return;
        }
        if !is_too_large(self.size_limit.bytes, max) {
            self.size_limit.too_large = None;
            if preallocated_len(self.size_limit.bytes, max).is_some() {
                let opened = self.reopen_with_limit(max);
                if opened.is_err() || preallocated_len(self.size_limit.bytes, max).is_some() {
                    self.size_limit.next_try = Some(Instant::now() + PAUSE);
                }
            }
            return;
        }
        // Shrinking waits until the expired traces are removed.
        if self.retention.has_expired() {
            return;
        }
        let began = Instant::now();
        let why = self.shrink(max);
        let pause = if why.is_some() { PAUSE } else { Duration::ZERO };
        self.size_limit.next_try = Some(Instant::now() + pause.max(began.elapsed() * PAUSE_FACTOR));
        let Some(why) = why else { return };
        let (since, was_reported) = *self.size_limit.too_large.get_or_insert((began, false));
        if !was_reported && since.elapsed() >= REPORT_AFTER {
            self.size_limit.too_large = Some((since, true));
            self.reporter.report(&StatusEvent::Oversized { bytes: self.size_limit.bytes, max, reason: why });
        }
    }

    /// Shrinks the file. Returns the obstacle if that fails.
    fn shrink(&mut self, max: u64) -> Option<String> {
        let from = self.size_limit.bytes;
        if let Err(why) = self.reopen_with_limit(max) {
            return Some(why);
        }
        if !is_too_large(self.size_limit.bytes, max) {
            return None;
        }
        let seconds = (self.size_limit.bytes.min(2 * max) / COMPACT_BYTES_PER_SECOND) as f64;
        let room = self.receiver.capacity().unwrap_or(usize::MAX) / 2;
        if self.size_limit.rate * seconds + self.receiver.len() as f64 > room as f64 {
            return Some("too many requests arrive".to_owned());
        }
        match self.store.as_mut()?.compact() {
            Ok(true) => {}
            Ok(false) => return Some("a process is reading the store".to_owned()),
            Err(error) => {
                // The database may be unusable now.
                self.store = None;
                return Some(error.to_string());
            }
        }
        if let Err(why) = self.reopen_with_limit(max) {
            return Some(why);
        }
        if self.size_limit.bytes < from {
            self.reporter.report(&StatusEvent::Compacted { from, to: self.size_limit.bytes });
        }
        is_too_large(self.size_limit.bytes, max).then(|| "its contents need more space".to_owned())
    }

    fn reopen_with_limit(&mut self, max: u64) -> Result<(), String> {
        // Closed first, because the file cannot be open twice.
        drop(self.store.take());
        let store = WriteStore::open_with_limit(&self.dir, Some(max)).map_err(|error| error.to_string())?;
        // If it is another file, the next commit notices.
        if self.identity == Some(store.identity()) {
            let (bytes, on_disk) = store.file_size();
            self.size_limit.bytes = bytes;
            self.state.counts.bytes_on_disk.store(on_disk, Ordering::Relaxed);
            self.store = Some(store);
        }
        Ok(())
    }
}

/// Returns true if the file exceeds the limit by more than 1 %, which covers the overhead of redb and the header.
const fn is_too_large(bytes: u64, max: u64) -> bool {
    bytes > max + max / 100
}
