//! What is removed, and when: the oldest blocks, by age and by size, a few with each commit.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::head::Head;

/// So many blocks go with one commit at most.
const AT_ONCE: usize = 256;
/// Of the file's size, what the traces may take; the rest is for pages that are free but not yet used again.
const SHARE: (u64, u64) = (3, 4);
/// redb's file grows by doubling up to this size in bytes, and by as much again from then on.
const REGION: u64 = 4 << 30;
/// A store is never asked to be smaller, in bytes.
const LEAST: u64 = 4 << 20;

/// The blocks of a store, oldest first.
#[derive(Debug)]
pub(crate) struct Retention {
    blocks: VecDeque<Known>,
    bytes: u64,
    traces: u64,
    max_age: Option<Duration>,
    max_bytes: Option<u64>,
    /// The wall clock when this began, read once: a step of that clock must not make everything old.
    began: (Duration, Instant),
}

#[derive(Debug)]
struct Known {
    key: u64,
    bytes: u64,
    traces: u64,
    newest_unix_ns: u64,
}

impl Retention {
    pub(crate) fn new(max_age: Option<Duration>, max_bytes: Option<u64>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            blocks: VecDeque::new(),
            bytes: 0,
            traces: 0,
            max_age,
            max_bytes,
            began: (now, Instant::now()),
        }
    }

    /// A block was written, for the first time or again.
    pub(crate) fn wrote(&mut self, key: u64, head: &Head) {
        if self.blocks.back().is_some_and(|last| last.key == key)
            && let Some(last) = self.blocks.pop_back()
        {
            self.forget(&last);
        }
        let (bytes, traces) = (head.bytes, u64::from(head.count));
        self.bytes += bytes;
        self.traces += traces;
        self.blocks.push_back(Known { key, bytes, traces, newest_unix_ns: head.max_started });
    }

    fn forget(&mut self, block: &Known) {
        self.bytes -= block.bytes;
        self.traces -= block.traces;
    }

    /// How many traces there are.
    pub(crate) const fn traces(&self) -> u64 {
        self.traces
    }

    /// What one commit may put, in bytes, so that what it replaces can be used again soon.
    pub(crate) fn commit_bytes(&self) -> u64 {
        self.max_bytes.map_or(u64::MAX, |max| max / 32).clamp(256 << 10, 4 << 20)
    }

    /// The oldest block that will be left.
    pub(crate) fn first(&self) -> Option<u64> {
        self.blocks.front().map(|block| block.key)
    }

    /// Which blocks are to go now; there may be more the next time. The newest stays whatever it is.
    pub(crate) fn cut(&mut self) -> Option<RangeInclusive<u64>> {
        let first = self.blocks.front()?.key;
        let mut last = None;
        for _ in 0..AT_ONCE {
            if self.blocks.len() < 2 || !self.is_due() {
                break;
            }
            let gone = self.blocks.pop_front()?;
            self.forget(&gone);
            last = Some(gone.key);
        }
        last.map(|last| first..=last)
    }

    fn is_due(&self) -> bool {
        let Some(oldest) = self.blocks.front() else { return false };
        let too_much = self.max_bytes.is_some_and(|max| self.bytes > file_within(max) / SHARE.1 * SHARE.0);
        let too_old = self.max_age.is_some_and(|age| {
            let now = self.began.0 + self.began.1.elapsed();
            Duration::from_nanos(oldest.newest_unix_ns) + age < now
        });
        too_much || too_old
    }
}

/// The largest size that redb's file takes on without outgrowing `max`; what it adds for itself is less than a
/// hundredth.
fn file_within(max: u64) -> u64 {
    let max = max.max(LEAST);
    if max >= REGION { max / REGION * REGION } else { 1 << max.ilog2() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(bytes: u64, max_started: u64) -> Head {
        Head { bytes, max_started, ..Head::default() }
    }

    #[test]
    fn the_oldest_go_first_and_the_newest_stays() {
        let mut kept = Retention::new(None, Some(LEAST));
        for key in 10..20 {
            kept.wrote(key, &head(LEAST / 8, 0));
        }
        assert_eq!(kept.cut(), Some(10..=13));
        assert_eq!((kept.cut(), kept.first()), (None, Some(14)));
        kept.wrote(20, &head(LEAST * 2, 0));
        assert_eq!((kept.cut(), kept.cut(), kept.first()), (Some(14..=19), None, Some(20)));
    }

    #[test]
    fn a_block_written_again_counts_once() {
        let mut kept = Retention::new(None, Some(LEAST));
        for _ in 0..100 {
            kept.wrote(1, &head(LEAST / 8, 0));
        }
        assert_eq!((kept.cut(), kept.bytes), (None, LEAST / 8));
    }

    #[test]
    fn what_is_too_old_goes() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let mut kept = Retention::new(Some(Duration::from_secs(60)), None);
        kept.wrote(1, &head(1, now - 61_000_000_000));
        kept.wrote(2, &head(1, now));
        kept.wrote(3, &head(1, 0));
        assert_eq!((kept.cut(), kept.cut(), kept.first()), (Some(1..=1), None, Some(2)));
    }
}
