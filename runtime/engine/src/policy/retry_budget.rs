//! Retry budget: bounds the part of the load on a target that retries may add, so that retries cannot keep a target down
//! that would otherwise recover.

use super::rolling_count::{RollingCount, SECONDS};
use super::time_units::S;

/// Retries per second that are allowed however few calls there are.
const RESERVE_PER_SECOND: u64 = 3;

/// The cost of a retry. The balance is kept in millionths.
const ONE: u64 = 1_000_000;

/// Number of retries that one target and process may make: a share of the calls of the last ten seconds, and three per
/// second.
///
/// The allowance accrues evenly and is not saved for longer than a second. A budget that could be saved for ten seconds
/// would allow a burst of retries exactly when a target begins to fail.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryBudget {
    /// Allowed retries per call, in millionths.
    share: u64,
    calls: RollingCount,
    /// Retries that may be made now, in millionths.
    balance: u64,
    accrued_ns: u64,
}

impl RetryBudget {
    /// Creates a full budget. `share` is the number of retries per call, such as 0.2.
    pub fn new(share: f64) -> Self {
        let balance = RESERVE_PER_SECOND * ONE;
        Self { share: millionths(share), calls: RollingCount::default(), balance, accrued_ns: 0 }
    }

    /// Changes the share. The balance stays.
    pub fn set_share(&mut self, share: f64) {
        self.share = millionths(share);
    }

    /// Counts calls, without retries.
    pub fn record_calls(&mut self, count: u64, now_ns: u64) {
        self.accrue(now_ns);
        self.calls.add(now_ns, count);
    }

    /// Takes one retry from the budget. Returns false if the budget is exhausted.
    pub fn take_retry(&mut self, now_ns: u64) -> bool {
        self.accrue(now_ns);
        let Some(rest) = self.balance.checked_sub(ONE) else { return false };
        self.balance = rest;
        true
    }

    /// Returns the number of retries that may be made now.
    pub fn available(&mut self, now_ns: u64) -> u64 {
        self.accrue(now_ns);
        self.balance / ONE
    }

    /// Adds what has accrued since the last time.
    fn accrue(&mut self, now_ns: u64) {
        let per_second = (self.calls.sum(now_ns) / SECONDS)
            .saturating_mul(self.share)
            .saturating_add(RESERVE_PER_SECOND * ONE);
        let passed_ns = now_ns.saturating_sub(self.accrued_ns).min(S);
        let accrued = u128::from(per_second) * u128::from(passed_ns) / u128::from(S);
        let accrued = u64::try_from(accrued).unwrap_or(u64::MAX);
        // A part of a millionth is not lost: the time stays until it amounts to something.
        if accrued > 0 {
            self.balance = self.balance.saturating_add(accrued).min(per_second);
            self.accrued_ns = self.accrued_ns.max(now_ns);
        }
    }
}

/// Converts a share to millionths. What is not a number counts as 0.
fn millionths(share: f64) -> u64 {
    (share.clamp(0.0, 1000.0) * ONE as f64) as u64
}
