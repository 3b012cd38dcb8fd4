//! Adaptive concurrency: finds the number of calls that a target can take at the same time.

use super::time_units::MS;

/// Smallest and largest limit.
const RANGE: (usize, usize) = (20, 1_000);

/// Time for which a limit that was lowered is not lowered again: calls that were in flight say nothing new.
const REST_NS: u64 = 100 * MS;

/// Number of rounds of calls in which the limit could double at most, once it has been lowered.
const ROUNDS: usize = 64;

/// End of a call, as far as the number of calls in flight is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// The target has answered.
    Succeeded,
    /// The target has answered, but took more than three quarters of the time that the call had. More calls could make it
    /// too slow.
    Slow,
    /// The target has failed, and said so. That is no sign of too many calls.
    Failed,
    /// The target has not answered in time.
    TimedOut,
}

impl CallOutcome {
    /// Returns the outcome of a call that was answered, after this time of the time that it had.
    pub const fn answered(is_failure: bool, took_ns: u64, had_ns: u64) -> Self {
        match is_failure {
            true => Self::Failed,
            false if took_ns > had_ns / 4 * 3 => Self::Slow,
            false => Self::Succeeded,
        }
    }

    /// Returns true if the call failed because of its target.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut)
    }
}

/// Returns the longest time that a call may wait for a place, of the time until its deadline: half of it. A call that begins
/// too late to be answered in time makes the target work in vain, and soon all calls in a long queue would be such calls.
pub const fn max_place_wait_ns(left_ns: u64) -> u64 {
    left_ns / 2
}

/// A limit on calls in flight. It doubles with each round of successful calls until a call is not answered in time, then
/// falls by a tenth each time, and rises by one or a 64th of it for each round ("additive increase, multiplicative
/// decrease"). Failures that the target reports by itself say nothing about the number of calls.
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

    /// Records the end of a call, and the number of calls that were in flight with it. A limit of which less than half is
    /// used does not rise, because the calls do not show that the target could take more.
    pub fn record(&mut self, now_ns: u64, outcome: CallOutcome, in_flight: usize) {
        match outcome {
            CallOutcome::TimedOut => self.lower(now_ns),
            CallOutcome::Failed | CallOutcome::Slow => {}
            CallOutcome::Succeeded if in_flight * 2 < self.limit => {}
            CallOutcome::Succeeded => {
                self.successes += 1;
                let (round, step) = match self.lowered_ns {
                    None => (1, 1),
                    Some(_) => (self.limit, (self.limit / ROUNDS).max(1)),
                };
                if self.successes >= round {
                    self.limit = (self.limit + step).min(RANGE.1);
                    self.successes = 0;
                }
            }
        }
    }

    fn lower(&mut self, now_ns: u64) {
        let is_resting =
            self.lowered_ns.is_some_and(|lowered_ns| now_ns.saturating_sub(lowered_ns) < REST_NS);
        if !is_resting {
            self.limit = (self.limit - self.limit.div_ceil(10)).max(RANGE.0);
            (self.successes, self.lowered_ns) = (0, Some(now_ns));
        }
    }
}
