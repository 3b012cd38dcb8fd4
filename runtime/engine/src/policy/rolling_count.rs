//! Counts of the last ten seconds, in buckets of one second.

use super::time_units::S;

/// Number of buckets, and so of seconds.
pub(super) const SECONDS: u64 = 10;

/// Counts of the last ten seconds. Times may not run backwards; an earlier time counts as the latest one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RollingCount {
    buckets: [u64; SECONDS as usize],
    /// Number of the second of the newest bucket.
    second: u64,
}

impl RollingCount {
    pub(super) fn add(&mut self, now_ns: u64, count: u64) {
        self.advance(now_ns);
        let bucket = &mut self.buckets[(self.second % SECONDS) as usize];
        *bucket = bucket.saturating_add(count);
    }

    /// Returns the sum of the last ten seconds, the current one included.
    pub(super) fn sum(&mut self, now_ns: u64) -> u64 {
        self.advance(now_ns);
        self.buckets.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    fn advance(&mut self, now_ns: u64) {
        let second = (now_ns / S).max(self.second);
        for passed in 0..(second - self.second).min(SECONDS) {
            self.buckets[((second - passed) % SECONDS) as usize] = 0;
        }
        self.second = second;
    }
}
