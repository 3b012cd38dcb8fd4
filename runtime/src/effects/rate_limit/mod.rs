//! Limits of rates: how often something may happen, such as the requests of one client.
//!
//! ```
//! use zerver::effects::rate_limit::Limit;
//! use zerver::prelude::*;
//!
//! /// 60 in a minute on average, and at most 10 at once.
//! const LOGINS: Limit = Limit::per_minute(60).burst(10);
//!
//! #[slot]
//! #[derive(Debug, Clone)]
//! struct Admitted;
//!
//! #[step]
//! fn admit(request: &Request) -> Decision<Admitted> {
//!     let client = request.param_str("user").unwrap_or_default().to_owned();
//!     Need(LOGINS.enforce(("login", client)).map(|()| Admitted))
//! }
//! ```
//!
//! [`Limit::enforce`] fails with 429 and `Retry-After`; [`Limit::check`] returns what is left and lets the step decide. What
//! the limiter answered is recorded, so a replay decides the same.
//!
//! The counts are in memory, so each process has its own, unless a service registers a limiter that processes share, such as
//! that of the crate `zerver-redis`.

mod memory;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zerver_engine::{Call, Effect, EffectError, EffectKind, Failure};

pub use self::memory::Memory;
use crate::effects::kv::Key;

/// Longest period: a year. Times in microseconds then stay far below the largest number.
const MAX_PERIOD_MS: u64 = 366 * 24 * 3600 * 1000;

/// Number of times that something may happen: on average, and at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Number within the period.
    count: u32,
    /// Period, in milliseconds.
    period_ms: u64,
    /// Maximum number at once.
    burst: u32,
}

impl Limit {
    /// Allows this number within this period, of at most a year, and all of them at once if there were none before. Zero
    /// counts as one.
    pub const fn per(count: u32, period: Duration) -> Self {
        let count = if count == 0 { 1 } else { count };
        let period_ms = match period.as_millis() {
            0 => 1,
            ms if ms > MAX_PERIOD_MS as u128 => MAX_PERIOD_MS,
            ms => ms as u64,
        };
        Self { count, period_ms, burst: count }
    }

    /// Allows this number within a second.
    pub const fn per_second(count: u32) -> Self {
        Self::per(count, Duration::from_secs(1))
    }

    /// Allows this number within a minute.
    pub const fn per_minute(count: u32) -> Self {
        Self::per(count, Duration::from_secs(60))
    }

    /// Sets the maximum number at once. Zero counts as one.
    #[must_use]
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = if burst == 0 { 1 } else { burst };
        self
    }

    /// Asks whether it may happen once more, and counts it if so.
    pub fn check(self, key: impl Into<Key>) -> Effect<Allowance> {
        self.check_many(key, 1)
    }

    /// Asks whether it may happen `cost` more times, and counts them all if so, or else none. More than the maximum at once
    /// are never allowed.
    pub fn check_many(self, key: impl Into<Key>, cost: u32) -> Effect<Allowance> {
        let args = RateLimit { key: key.into(), limit: self, cost };
        Effect::from_call::<RateLimit>(Call::new(args), |allowance: Result<&Allowance, EffectError>| {
            allowance.copied().map_err(|error| Failure::from_effect(RateLimit::KIND, &error))
        })
    }

    /// Counts it once more, or fails with 429 and `Retry-After` if the limit is exceeded.
    pub fn enforce(self, key: impl Into<Key>) -> Effect<()> {
        self.check(key).try_map(|allowance| allowance.into_result())
    }

    /// Decides about `cost` more at a time, in microseconds. `next_us` is the time at which all that was counted so far is used
    /// up at the average rate. Returns the new time if they are allowed.
    ///
    /// This is the Generic Cell Rate Algorithm (ITU-T I.371): a bucket of `burst` tokens that fills at the rate, in one number.
    pub fn decide(self, next_us: Option<u64>, now_us: u64, cost: u32) -> (Allowance, Option<u64>) {
        let (interval_us, tolerance_us) = self.interval_and_tolerance_us();
        let start_us = next_us.unwrap_or(0).max(now_us);
        let end_us = start_us.saturating_add(interval_us.saturating_mul(cost.into()));
        let used_us = end_us - now_us;
        if used_us <= tolerance_us {
            let remaining = (tolerance_us - used_us) / interval_us;
            let remaining = u32::try_from(remaining).unwrap_or(u32::MAX);
            return (Allowance { allowed: true, remaining, retry_after_ms: 0 }, Some(end_us));
        }
        let remaining = tolerance_us.saturating_sub(start_us - now_us) / interval_us;
        let retry_after_ms = (used_us - tolerance_us).div_ceil(1000);
        let remaining = u32::try_from(remaining).unwrap_or(u32::MAX);
        (Allowance { allowed: false, remaining, retry_after_ms }, None)
    }

    /// Returns the mean time between two, and the time that the maximum at once takes at that rate, in microseconds.
    pub fn interval_and_tolerance_us(self) -> (u64, u64) {
        let interval_us = (self.period_ms.saturating_mul(1000) / u64::from(self.count)).max(1);
        (interval_us, interval_us.saturating_mul(self.burst.into()))
    }
}

/// Writes `60 in 60s, 10 at once`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {:?}, {} at once", self.count, Duration::from_millis(self.period_ms), self.burst)
    }
}

/// The effect of kind `rate_limit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Key of the count.
    pub key: Key,
    /// Limit.
    pub limit: Limit,
    /// Number to count.
    pub cost: u32,
}

/// The answer of a limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// True if it may happen.
    pub allowed: bool,
    /// Number that is still allowed at once.
    pub remaining: u32,
    /// Time after which it will be allowed, in milliseconds; 0 if it is allowed.
    pub retry_after_ms: u64,
}

impl Allowance {
    /// Returns an error if it is not allowed.
    ///
    /// # Errors
    /// `limited`, with the time to wait in whole seconds.
    pub fn into_result(self) -> Result<(), Failure> {
        if self.allowed {
            return Ok(());
        }
        let seconds = u32::try_from(self.retry_after_ms.div_ceil(1000)).unwrap_or(u32::MAX);
        Err(Failure::limited("rate", seconds.max(1)))
    }
}

impl EffectKind for RateLimit {
    const KIND: &'static str = "rate_limit";
    type Output = Allowance;

    fn summary(&self) -> String {
        match self.cost {
            1 => format!("{}: {}", self.key, self.limit),
            cost => format!("{cost} of {}: {}", self.key, self.limit),
        }
    }

    fn output_summary(allowance: &Allowance) -> String {
        let Allowance { allowed, remaining, retry_after_ms } = *allowance;
        match allowed {
            true => format!("allowed, {remaining} left"),
            false => format!("refused for {:?}", Duration::from_millis(retry_after_ms)),
        }
    }

    fn target(&self) -> Option<Cow<'_, str>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_burst_is_followed_by_the_average_rate() {
        let limit = Limit::per_second(10).burst(3);
        let mut next = None;
        let mut ask = |now_us: u64| {
            let (allowance, after) = limit.decide(next, now_us, 1);
            next = after.or(next);
            allowance
        };
        let start = 100 * SECOND;
        for remaining in [2, 1, 0] {
            assert_eq!(ask(start), Allowance { allowed: true, remaining, retry_after_ms: 0 });
        }
        assert_eq!(ask(start), Allowance { allowed: false, remaining: 0, retry_after_ms: 100 });
        assert!(!ask(start + 99_999).allowed);
        assert!(ask(start + 100_000).allowed);
        assert!(!ask(start + 100_000).allowed);
        // A pause fills the bucket, but not beyond its size.
        assert_eq!(ask(start + 100 * SECOND).remaining, 2);
    }

    #[test]
    fn several_are_counted_together_or_not_at_all() {
        let limit = Limit::per_minute(60).burst(10);
        let (allowance, next) = limit.decide(None, SECOND, 8);
        assert_eq!((allowance.allowed, allowance.remaining), (true, 2));
        let (allowance, refused) = limit.decide(next, SECOND, 3);
        assert_eq!(allowance, Allowance { allowed: false, remaining: 2, retry_after_ms: 1000 });
        assert_eq!(refused, None);
        assert!(!limit.decide(None, SECOND, 11).0.allowed, "more than the bucket holds");
        assert!(limit.decide(next, SECOND, 0).0.allowed);
    }

    #[test]
    fn a_refusal_names_whole_seconds() {
        let refused = Allowance { allowed: false, remaining: 0, retry_after_ms: 1200 };
        let failure = refused.into_result().unwrap_err();
        assert_eq!(failure.status(), 429);
        assert_eq!(failure, Failure::limited("rate", 2));
        let hostile = Limit::per(1, Duration::MAX).burst(1);
        assert!(hostile.decide(Some(u64::MAX), 0, u32::MAX).0.retry_after_ms > 0);
    }
}
