//! Keeps the file of a store within its limit. Retention keeps what is in it well below that; but redb's file grows by
//! doubling, and shrinks only where its end is free. So a file that the next doubling could take past its limit is closed
//! and opened again, by which it gets the length that it may have (see `store`); and one that is longer, as after the
//! limit was lowered, loses what is free at its end in the same way, and is compacted if that is not enough.
//!
//! Compacting takes a while, in which nothing is taken from the queue. So it is done only when what comes meanwhile, as
//! far as one can tell, fits the queue.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Writer;
use crate::backend::write_store::{WriteStore, preallocated_len};
use crate::write::status_event::StatusEvent;

/// How much of a file compacting reads and writes in a second, in bytes, on a slow disk.
const COMPACT_BYTES_PER_SECOND: u64 = 32 << 20;
/// How long after a try that failed there is another one, at least;
const PAUSE: Duration = if cfg!(test) { Duration::from_millis(10) } else { Duration::from_secs(2) };
/// and no more than this part of the time is returned on it.
const PAUSE_FACTOR: u32 = 20;
/// How long the rate at which captures come is measured.
const RATE_WINDOW: Duration = Duration::from_millis(500);
/// How long a file is too large before that is told.
const REPORT_AFTER: Duration = Duration::from_secs(10);

/// What is known of the file's length, and of the traffic.
#[derive(Debug)]
pub(super) struct SizeLimit {
    bytes: u64,
    /// When it was last found too large, and whether that was told.
    too_large: Option<(Instant, bool)>,
    next_try: Option<Instant>,
    since: Instant,
    took: usize,
    /// Captures a second, as last measured.
    rate: f64,
}

impl SizeLimit {
    pub(super) fn new(bytes: u64) -> Self {
        Self { bytes, too_large: None, next_try: None, since: Instant::now(), took: 0, rate: 0.0 }
    }

    /// The file has this length.
    pub(super) fn set_file_size(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    /// How long the writer may sleep: less while the file is too large.
    pub(super) fn max_sleep(&self, at_most: Duration) -> Duration {
        if self.too_large.is_some() { at_most.min(PAUSE) } else { at_most }
    }

    /// So many captures came.
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
    /// Sees to it that the file does not outgrow its limit; and makes it smaller if it has, and if now is a time for it.
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
        // First what is too much has to go.
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

    /// What keeps it from being done, if it is not.
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
            return Some("too many requests come for it to be compacted now".to_owned());
        }
        match self.store.as_mut()?.compact() {
            Ok(true) => {}
            Ok(false) => return Some("somebody reads from it".to_owned()),
            Err(error) => {
                // It may be of no use any more.
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
        is_too_large(self.size_limit.bytes, max).then(|| "what is in it takes up more".to_owned())
    }

    fn reopen_with_limit(&mut self, max: u64) -> Result<(), String> {
        // Closed first: two of them would stand in each other's way.
        drop(self.store.take());
        let store = WriteStore::open_with_limit(&self.dir, Some(max)).map_err(|error| error.to_string())?;
        // If it is another file, the next commit finds out, and says so.
        if self.identity == Some(store.identity()) {
            let (bytes, on_disk) = store.file_size();
            self.size_limit.bytes = bytes;
            self.state.counts.bytes_on_disk.store(on_disk, Ordering::Relaxed);
            self.store = Some(store);
        }
        Ok(())
    }
}

/// What redb and we add is less than a hundredth.
const fn is_too_large(bytes: u64, max: u64) -> bool {
    bytes > max + max / 100
}
