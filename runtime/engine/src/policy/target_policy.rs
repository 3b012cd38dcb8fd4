//! Settings of the policy of one target. Plain data; the fields have the names of the configuration keys.

use std::time::Duration;

use super::breaker::{Breaker, BreakerSettings};
use crate::Retry;

/// Policy for the calls to one target. What an effect says itself ([`Effect::retry`](crate::Effect::retry),
/// [`Effect::timeout`](crate::Effect::timeout)) takes precedence.
///
/// ```
/// use std::time::Duration;
/// use zerver_engine::TargetPolicy;
///
/// let policy = TargetPolicy { timeout: Some(Duration::from_secs(2)), rate: 50.0, ..TargetPolicy::default() };
/// assert_eq!((policy.attempts, policy.failures), (1, 5));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TargetPolicy {
    /// Time limit of a call that has none of its own. Default: none, so that the deadline of the request is the limit.
    pub timeout: Option<Duration>,
    /// Time limit for a new connection. Default: that of the client.
    pub connect_timeout: Option<Duration>,
    /// Number of attempts of an idempotent call without a retry policy of its own, including the first one. Default: 1.
    pub attempts: u16,
    /// Longest pause before the second attempt. It doubles with each further one, up to 1 s. Default: 50 ms.
    pub pause: Duration,
    /// Longest time that a target may ask to wait for with `Retry-After` before the next attempt. A call that is asked to
    /// wait for longer is not repeated. Default: 5 s.
    pub retry_after_max: Duration,
    /// Number of retries per call, on average over ten seconds, in addition to three per second. Default: 0.2.
    pub retry_budget: f64,
    /// Number of failures in a row that opens the circuit breaker, if `failing_for` has passed as well. Default: 5; 0 means
    /// any number.
    pub failures: u32,
    /// Time for which nothing may have succeeded before failures in a row open the circuit breaker. Default: 1 s.
    pub failing_for: Duration,
    /// Share of failures among at least 20 calls in ten seconds that opens the circuit breaker. Default: 0.8; 0 means any
    /// share.
    pub failure_rate: f64,
    /// Time that the circuit breaker stays open before a probe. Default: 1 s.
    pub open: Duration,
    /// Longest time that the circuit breaker stays open. The time doubles from `open` up to this with each probe that fails.
    /// Default: 1 s, so that it does not double.
    pub open_max: Duration,
    /// Maximum number of calls in flight.
    pub places: Places,
    /// Maximum number of calls per second. Default: 0, which means no limit.
    pub rate: f64,
    /// Number of these calls that may be made at once. Default: 1.
    pub burst: u32,
}

/// Maximum number of calls in flight to a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Places {
    /// The limit of the service for all targets (`limits.effects_per_target`).
    #[default]
    Shared,
    /// This number; 0 means no limit.
    Max(usize),
    /// A number from 20 to 1,000 that follows the success of the calls ([`AdaptiveLimit`](crate::AdaptiveLimit)).
    Auto,
}

impl Default for TargetPolicy {
    fn default() -> Self {
        Self {
            timeout: None,
            connect_timeout: None,
            attempts: 1,
            pause: Duration::from_millis(50),
            retry_after_max: Duration::from_secs(5),
            retry_budget: 0.2,
            failures: 5,
            failing_for: Duration::from_secs(1),
            failure_rate: 0.8,
            open: Duration::from_secs(1),
            open_max: Duration::from_secs(1),
            places: Places::Shared,
            rate: 0.0,
            burst: 1,
        }
    }
}

impl TargetPolicy {
    /// Returns the settings of its circuit breaker.
    pub fn breaker(&self) -> BreakerSettings {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        BreakerSettings {
            failures: self.failures,
            failing_for_ns: nanos(self.failing_for),
            failure_rate: self.failure_rate,
            open_ns: nanos(self.open),
            open_max_ns: nanos(self.open_max),
        }
    }

    /// Creates its circuit breaker.
    pub fn new_breaker(&self, seed: u64) -> Breaker {
        Breaker::new(self.breaker(), seed)
    }

    /// Returns the retry policy of calls that have none of their own, or `None` if they are not repeated.
    pub fn retry(&self) -> Option<Retry> {
        let max_pause = self.pause.max(Duration::from_secs(1));
        (self.attempts > 1).then(|| Retry::attempts(self.attempts).pause(self.pause, max_pause))
    }
}
