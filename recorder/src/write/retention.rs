//! What is removed, and when: the oldest blocks, by age and by size, a few with each commit. Age is counted in observed time
//! (`observed_clock`), so that a clock which is wrong removes nothing.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::block::block_index::BlockIndex;
use crate::write::observed_clock::{ClockDifference, ObservedClock};

/// So many blocks go with one commit at most.
const MAX_PER_COMMIT: usize = 256;
/// Of the file's size, what the traces may take; the rest is for pages that are free but not yet used again.
const TRACE_SHARE: (u64, u64) = (3, 4);
/// A store is never asked to be smaller, in bytes.
const MIN_BYTES: u64 = 4 << 20;

/// The blocks of a store, oldest first.
#[derive(Debug)]
pub(crate) struct Retention {
    blocks: VecDeque<RetainedBlock>,
    bytes: u64,
    traces: u64,
    max_age: Option<Duration>,
    max_bytes: Option<u64>,
    clock: ObservedClock,
}

#[derive(Debug)]
struct RetainedBlock {
    key: u64,
    bytes: u64,
    traces: u64,
    /// The observed time when it was written last.
    written: Duration,
}

impl Retention {
    pub(crate) fn new(max_age: Option<Duration>, max_bytes: Option<u64>) -> Self {
        Self {
            blocks: VecDeque::new(),
            bytes: 0,
            traces: 0,
            max_age,
            max_bytes: max_bytes.map(|max| max.max(MIN_BYTES)),
            clock: ObservedClock::new(),
        }
    }

    /// The same limits for another store.
    pub(crate) fn for_another_store(&self) -> Self {
        Self::new(self.max_age, self.max_bytes)
    }

    /// A block was found in the store, before anything is written to it.
    pub(crate) fn add_found(&mut self, key: u64, index: &BlockIndex) {
        let written = self.clock.advance_past(index);
        self.add(key, index, written);
    }

    /// All has been found, and recording begins. Where the clock cannot be believed and that matters, by how much it differs.
    pub(crate) fn begin(&mut self) -> Option<ClockDifference> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let differs = self.clock.begin(now);
        differs.filter(|_| self.max_age.is_some())
    }

    /// A block was written, for the first time or again.
    pub(crate) fn add_written(&mut self, key: u64, index: &BlockIndex) {
        let now = self.clock.now();
        self.add(key, index, now);
    }

    fn add(&mut self, key: u64, index: &BlockIndex, written: Duration) {
        if self.blocks.back().is_some_and(|last| last.key == key)
            && let Some(last) = self.blocks.pop_back()
        {
            self.forget(&last);
        }
        let (bytes, traces) = (index.bytes, u64::from(index.count));
        self.bytes += bytes;
        self.traces += traces;
        self.blocks.push_back(RetainedBlock { key, bytes, traces, written });
    }

    fn forget(&mut self, block: &RetainedBlock) {
        self.bytes -= block.bytes;
        self.traces -= block.traces;
    }

    /// How many traces there are.
    pub(crate) const fn traces(&self) -> u64 {
        self.traces
    }

    /// What the file of the store may have, in bytes.
    pub(crate) const fn max_bytes(&self) -> Option<u64> {
        self.max_bytes
    }

    /// What one commit may put, in bytes, so that what it replaces can be used again soon.
    pub(crate) fn max_commit_bytes(&self) -> u64 {
        self.max_bytes.map_or(u64::MAX, |max| max / 32).clamp(256 << 10, 4 << 20)
    }

    /// The oldest block that will be left.
    pub(crate) fn first(&self) -> Option<u64> {
        self.blocks.front().map(|block| block.key)
    }

    /// Which blocks are to go now; there may be more the next time. The newest stays whatever it is.
    pub(crate) fn take_expired(&mut self) -> Option<RangeInclusive<u64>> {
        let first = self.blocks.front()?.key;
        let mut last = None;
        for _ in 0..MAX_PER_COMMIT {
            if !self.has_expired() {
                break;
            }
            let gone = self.blocks.pop_front()?;
            self.forget(&gone);
            last = Some(gone.key);
        }
        last.map(|last| first..=last)
    }

    /// Whether the oldest block is to go.
    pub(crate) fn has_expired(&self) -> bool {
        let Some(oldest) = self.blocks.front().filter(|_| self.blocks.len() > 1) else { return false };
        let too_much = self.max_bytes.is_some_and(|max| self.bytes > max / TRACE_SHARE.1 * TRACE_SHARE.0);
        let too_old = self.max_age.is_some_and(|age| oldest.written + age < self.clock.now());
        too_much || too_old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(bytes: u64, started: u64) -> BlockIndex {
        BlockIndex { bytes, count: 1, min_started: started, max_started: started, ..BlockIndex::default() }
    }

    #[test]
    fn the_oldest_go_first_and_the_newest_stays() {
        let mut retention = Retention::new(None, Some(MIN_BYTES));
        for key in 10..20 {
            retention.add_written(key, &index(MIN_BYTES / 8, 0));
        }
        assert_eq!(retention.take_expired(), Some(10..=13));
        assert_eq!((retention.take_expired(), retention.first()), (None, Some(14)));
        retention.add_written(20, &index(MIN_BYTES * 2, 0));
        assert_eq!(
            (retention.take_expired(), retention.take_expired(), retention.first()),
            (Some(14..=19), None, Some(20))
        );
    }

    #[test]
    fn a_block_written_again_counts_once() {
        let mut retention = Retention::new(None, Some(MIN_BYTES));
        for _ in 0..100 {
            retention.add_written(1, &index(MIN_BYTES / 8, 0));
        }
        assert_eq!((retention.take_expired(), retention.bytes), (None, MIN_BYTES / 8));
    }

    #[test]
    fn what_is_too_old_goes() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let mut retention = Retention::new(Some(Duration::from_secs(60)), None);
        retention.add_found(1, &index(1, now - 61_000_000_000));
        retention.add_found(2, &index(1, now));
        retention.add_found(3, &index(1, 0));
        let _ = retention.begin();
        assert_eq!(
            (retention.take_expired(), retention.take_expired(), retention.first()),
            (Some(1..=1), None, Some(2))
        );
    }

    #[test]
    fn a_clock_that_is_ahead_removes_nothing() {
        const DAY: u64 = 24 * 60 * 60 * 1_000_000_000;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let mut retention = Retention::new(Some(Duration::from_secs(60)), None);
        for (key, days) in [(1, 31), (2, 31), (3, 30)] {
            retention.add_found(key, &index(1, now - days * DAY));
        }
        let differs = retention.begin().unwrap();
        assert!(differs.is_ahead && differs.by >= Duration::from_secs(30 * 24 * 60 * 60), "{differs:?}");
        // Of the first two it is known that a day has passed since.
        assert_eq!(retention.take_expired(), Some(1..=2));
        retention.add_written(4, &index(1, now));
        assert_eq!((retention.take_expired(), retention.first()), (None, Some(3)));
    }

    #[test]
    fn what_came_from_the_future_ages_with_the_rest() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let mut retention = Retention::new(Some(Duration::ZERO), None);
        retention.add_found(1, &index(1, u64::MAX));
        retention.add_found(2, &index(1, now));
        assert_eq!(retention.begin(), None);
        std::hint::black_box(retention.clock.now());
        assert_eq!((retention.take_expired(), retention.first()), (Some(1..=1), Some(2)));
    }
}
