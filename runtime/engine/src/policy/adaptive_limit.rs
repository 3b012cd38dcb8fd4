//! Adaptive concurrency: finds the number of calls that a target can take at the same time.

use super::time_units::MS;

/// Smallest and largest limit.
const RANGE: (usize, usize) = (20, 1_000);

/// Time for which a limit that was lowered is not lowered again: calls that were in flight say nothing new.
const REST_NS: u64 = 100 * MS;

/// A limit on calls in flight that rises by one for each round of successful calls, and falls by a tenth when the target
/// fails ("additive increase, multiplicative decrease").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdaptiveLimit {
    limit: usize,
    /// Successful calls since the limit changed.
    successes: usize,
    lowered_ns: Option<u64>,
}

impl Default for AdaptiveLimit {
    fn default() -> Self {
        Self { limit: RANGE.0, successes: 0, lowered_ns: None }
    }
}

impl AdaptiveLimit {
    /// Returns the number of calls that may be in flight.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Records the end of a call, and the number of calls that were in flight with it. A limit that is not used up does
    /// not rise, because the calls do not show that the target could take more.
    pub fn record(&mut self, now_ns: u64, is_failure: bool, in_flight: usize) {
        if is_failure {
            let is_resting =
                self.lowered_ns.is_some_and(|lowered_ns| now_ns.saturating_sub(lowered_ns) < REST_NS);
            if !is_resting {
                self.limit = (self.limit - self.limit.div_ceil(10)).max(RANGE.0);
                (self.successes, self.lowered_ns) = (0, Some(now_ns));
            }
        } else if in_flight * 2 >= self.limit {
            self.successes += 1;
            if self.successes >= self.limit {
                self.limit = (self.limit + 1).min(RANGE.1);
                self.successes = 0;
            }
        }
    }
}
