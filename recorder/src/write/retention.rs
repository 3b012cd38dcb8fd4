//! Decides which blocks to remove: the oldest ones, by age and by size, a few with each commit.
//!
//! Age is counted in observed time (`observed_clock`), so a wrong wall clock removes nothing.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::block::block_index::BlockIndex;
use crate::write::observed_clock::{ClockDifference, ObservedClock};

/// Maximum number of blocks to remove with one commit.
const MAX_PER_COMMIT: usize = 256;
/// Share of the file that traces may occupy. The rest is for free pages that are not reused yet.
const TRACE_SHARE: (u64, u64) = (3, 4);
/// Lower bound of the size limit, in bytes.
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

/// A block of the store.
#[derive(Debug)]
struct RetainedBlock {
    key: u64,
    bytes: u64,
    traces: u64,
    /// Observed time at which the block was written last.
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

    /// Returns an empty instance with the same limits.
    pub(crate) fn for_another_store(&self) -> Self {
        Self::new(self.max_age, self.max_bytes)
    }

    /// Adds a block that the store contains, before anything is written.
    pub(crate) fn add_found(&mut self, key: u64, index: &BlockIndex) {
        let written = self.clock.advance_past(index);
        self.add(key, index, written);
    }

    /// Starts recording, after all existing blocks were added. Returns the difference if the wall clock is implausible
    /// and an age limit is set.
    pub(crate) fn begin(&mut self) -> Option<ClockDifference> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let differs = self.clock.begin(now);
        differs.filter(|_| self.max_age.is_some())
    }

    /// Adds a block that was written. The last block may be added again.
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

    /// Number of traces.
    pub(crate) const fn traces(&self) -> u64 {
        self.traces
    }

    /// Maximum length of the file, in bytes.
    pub(crate) const fn max_bytes(&self) -> Option<u64> {
        self.max_bytes
    }

    /// Maximum size of a commit, in bytes. It is small enough that the space of replaced records is reused soon.
    pub(crate) fn max_commit_bytes(&self) -> u64 {
        self.max_bytes.map_or(u64::MAX, |max| max / 32).clamp(256 << 10, 4 << 20)
    }

    /// Key of the oldest remaining block.
    pub(crate) fn first(&self) -> Option<u64> {
        self.blocks.front().map(|block| block.key)
    }

    /// Takes blocks that have to be removed now. There may be more next time. The newest block is never removed.
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

    /// Returns true if the oldest block has to be removed.
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
    fn the_oldest_blocks_are_removed_first_and_the_newest_is_kept() {
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
    fn a_block_older_than_the_limit_is_removed() {
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
    fn a_wall_clock_that_is_ahead_removes_nothing() {
        const DAY: u64 = 24 * 60 * 60 * 1_000_000_000;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let mut retention = Retention::new(Some(Duration::from_secs(60)), None);
        for (key, days) in [(1, 31), (2, 31), (3, 30)] {
            retention.add_found(key, &index(1, now - days * DAY));
        }
        let differs = retention.begin().unwrap();
        assert!(differs.is_ahead && differs.by >= Duration::from_secs(30 * 24 * 60 * 60), "{differs:?}");
        // One day is known to have passed since the first two.
        assert_eq!(retention.take_expired(), Some(1..=2));
        retention.add_written(4, &index(1, now));
        assert_eq!((retention.take_expired(), retention.first()), (None, Some(3)));
    }

    #[test]
    fn a_block_from_the_future_ages_with_the_others() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let mut retention = Retention::new(Some(Duration::ZERO), None);
        retention.add_found(1, &index(1, u64::MAX));
        retention.add_found(2, &index(1, now));
        assert_eq!(retention.begin(), None);
        std::hint::black_box(retention.clock.now());
        assert_eq!((retention.take_expired(), retention.first()), (Some(1..=1), Some(2)));
    }
}
