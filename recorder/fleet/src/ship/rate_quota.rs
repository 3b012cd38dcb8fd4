//! The number of traces that a node ships in a second. What exceeds it stays in the spool.
//!
//! Time is that of the recording, so that a backlog from an outage is shipped like what is recorded now.

use std::collections::BTreeMap;

use zerver_recorder::ClosedBlock;

const SECOND_NS: f64 = 1e9;
/// Seconds whose share may be shipped at once.
const BURST: f64 = 10.0;

/// Decides which blocks are shipped.
#[derive(Debug)]
pub(super) struct RateQuota {
    per_second: f64,
    /// Traces that may still be shipped. Negative after a block that exceeded it.
    left: f64,
    /// Start of the latest request of the last block, in nanoseconds since the Unix epoch.
    at_ns: u64,
    /// Key after that of the last block.
    next: u64,
    /// Blocks that are not settled yet, and whether each is shipped: one that is sent again is decided as before.
    decided: BTreeMap<u64, bool>,
}

impl RateQuota {
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, left: per_second * BURST, at_ns: 0, next: 0, decided: BTreeMap::new() }
    }

    /// Returns true if a block is shipped.
    pub(super) fn admits(&mut self, block: &ClosedBlock) -> bool {
        if let Some(&is_admitted) = self.decided.get(&block.seq) {
            return is_admitted;
        }
        let bounds = block.index.bounds();
        let is_admitted = self.decide(block.seq, bounds.max_started_unix_ns, bounds.count);
        self.decided.insert(block.seq, is_admitted);
        is_admitted
    }

    /// Forgets the blocks before a key.
    pub(super) fn settle(&mut self, next: u64) {
        self.decided = self.decided.split_off(&next);
    }

    fn decide(&mut self, seq: u64, at_ns: u64, traces: u32) -> bool {
        let most = self.per_second * BURST;
        if seq < self.next {
            // Another store, or a fleet that lost what it had.
            self.left = most;
        }
        let passed = at_ns.saturating_sub(self.at_ns) as f64 / SECOND_NS;
        self.left = (self.left + passed * self.per_second).min(most);
        // A clock that was set back must not keep everything in the spool until it has caught up.
        (self.at_ns, self.next) = (at_ns, seq + 1);
        let is_admitted = self.left > 0.0;
        if is_admitted {
            self.left -= f64::from(traces);
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the number of traces that are shipped of blocks with 100 traces each, `every_ms` apart.
    fn shipped(quota: &mut RateQuota, first: u64, from_ms: u64, every_ms: u64, blocks: u64) -> u64 {
        let is_shipped = |n: &u64| quota.decide(first + n, (from_ms + n * every_ms) * 1_000_000, 100);
        (0..blocks).filter(is_shipped).count() as u64 * 100
    }

    #[test]
    fn a_burst_is_cut_to_the_rate_and_what_is_below_it_is_not_touched() {
        let mut quota = RateQuota::new(200);
        assert_eq!(shipped(&mut quota, 0, 1_000_000, 500, 1000), 100_000, "200 a second");
        // 10,000 a second for a minute: ten seconds' share at once, and then 200 a second.
        let burst = shipped(&mut quota, 1000, 1_500_000, 10, 6000);
        assert!((13_900..=14_100).contains(&burst), "{burst}");
        assert_eq!(shipped(&mut quota, 7000, 1_580_000, 500, 100), 10_000);
    }

    #[test]
    fn a_clock_that_is_set_back_or_far_ahead_stops_nothing() {
        let mut quota = RateQuota::new(200);
        assert_eq!(shipped(&mut quota, 0, 10_000_000, 500, 100), 10_000);
        assert_eq!(shipped(&mut quota, 100, 1_000, 500, 100), 10_000);
        assert_eq!(shipped(&mut quota, 200, u64::MAX / 2_000_000, 500, 100), 10_000);
    }

    #[test]
    fn a_store_that_begins_again_has_its_whole_share() {
        let mut quota = RateQuota::new(10);
        assert_eq!(shipped(&mut quota, 5, 0, 0, 10), 100);
        assert_eq!(shipped(&mut quota, 0, 0, 0, 10), 100);
        let mut least = RateQuota::new(1);
        assert!(least.decide(0, 1, 4096), "a block is never too large");
        assert!(!least.decide(1, 2, 1));
    }
}
