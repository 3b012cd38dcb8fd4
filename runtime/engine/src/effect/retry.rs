//! Retry policy: number of attempts, pauses between them, and results that deserve another attempt.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zerver_trace::EffectError;

use super::call::Call;
use super::kind::EffectKind;
use crate::{Failure, Random};

/// Separates the random numbers for pauses from those that steps derive from the same seed.
const SALT: u64 = 0x7265_7472_7920_6166;

/// Retry policy for the calls of an effect; see [`Effect::retry`](crate::Effect::retry).
///
/// A call is retried if it exceeded its time limit, if its target could not be reached or closed the connection, if it is
/// unknown whether it took effect, and if its output reports a temporary condition ([`EffectKind::is_temporary`]; for `http` these are 408, 429, 502, 503 and
/// 504). A call that is not idempotent ([`EffectKind::is_idempotent`]), such as a POST, is not retried by default.
///
/// Each further attempt is preceded by a pause: a random part of 50 ms, then of twice as much, and so on, up to 1 s
/// ("full jitter": M. Brooker, Exponential Backoff and Jitter, 2015). The pauses derive from the random seed of the
/// request, so a replay has the same ones. Each attempt has the time limit of the call. The deadline of the request
/// ends them all.
///
/// ```
/// use std::time::Duration;
/// use zerver_engine::{FailureKind, Retry};
///
/// let retry = Retry::attempts(5)
///     .pause(Duration::from_millis(10), Duration::from_millis(500))
///     .when(|failure| failure.kind() == FailureKind::Unavailable);
/// assert_eq!(format!("{retry:?}"), "Retry(5 attempts, pauses of 10ms to 500ms)");
/// ```
#[derive(Clone)]
pub struct Retry {
    max_attempts: u16,
    first_pause: Duration,
    max_pause: Duration,
    when: Option<Predicate>,
    includes_not_idempotent: bool,
}

type Predicate = Arc<dyn Fn(&Failure) -> bool + Send + Sync>;

impl Retry {
    /// Creates a policy of at most this many attempts, including the first one.
    pub fn attempts(max_attempts: u16) -> Self {
        let (first_pause, max_pause) = (Duration::from_millis(50), Duration::from_secs(1));
        Self { max_attempts, first_pause, max_pause, when: None, includes_not_idempotent: false }
    }

    /// Sets the pauses: a random part of `first`, then of twice as much, and so on, but never of more than `max`.
    #[must_use]
    pub fn pause(self, first: Duration, max: Duration) -> Self {
        Self { first_pause: first, max_pause: max, ..self }
    }

    /// Sets the failures that are retried, instead of the default. The predicate gets the failure that the call would
    /// have without another attempt. For `http::get(url).json()` that includes a status other than 2xx, and a body that
    /// does not fit.
    #[must_use]
    pub fn when(self, should_retry: impl Fn(&Failure) -> bool + Send + Sync + 'static) -> Self {
        Self { when: Some(Arc::new(should_retry)), ..self }
    }

    /// Also retries calls that are not idempotent. Their side effects may then happen several times.
    #[must_use]
    pub fn even_if_not_idempotent(self) -> Self {
        Self { includes_not_idempotent: true, ..self }
    }

    /// Returns true if the policy ever retries this call.
    pub(super) fn applies_to(&self, call: &Call) -> bool {
        self.max_attempts > 1 && (self.includes_not_idempotent || call.is_idempotent())
    }

    /// Returns true if another attempt is to follow this one. `failure` returns the failure that it led to, if any.
    pub(super) fn should_retry<K: EffectKind>(
        &self,
        attempt: u16,
        output: Result<&K::Output, &EffectError>,
        failure: impl FnOnce() -> Option<Failure>,
    ) -> bool {
        attempt < self.max_attempts
            && match (&self.when, output) {
                (Some(should_retry), _) => failure().is_some_and(|failure| should_retry(&failure)),
                (None, Ok(output)) => K::is_temporary(output),
                (None, Err(error)) => error.kind.may_be_temporary(),
            }
    }

    /// Returns the pause after this attempt. `call` is the number of the next call.
    pub(super) fn pause_after(&self, attempt: u16, call: u32, random: Random) -> Duration {
        let doubled = 1_u32.checked_shl(u32::from(attempt.saturating_sub(1))).unwrap_or(u32::MAX);
        let limit = self.first_pause.saturating_mul(doubled).min(self.max_pause);
        let random = Random { seed: random.seed ^ SALT }.u64(u64::from(call));
        let limit_ns = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        let part = (u128::from(limit_ns) * u128::from(random)) >> 64;
        Duration::from_nanos(u64::try_from(part).unwrap_or(limit_ns))
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { max_attempts, first_pause, max_pause, .. } = self;
        write!(f, "Retry({max_attempts} attempts, pauses of {first_pause:?} to {max_pause:?})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_a_random_part_of_a_limit_that_doubles() {
        let retry = Retry::attempts(u16::MAX).pause(Duration::from_millis(10), Duration::from_millis(35));
        let most = |attempt| {
            let pauses = (0..2000).map(|call| retry.pause_after(attempt, call, Random { seed: 7 }));
            let (least, most) =
                pauses.fold((Duration::MAX, Duration::ZERO), |(a, b), p| (a.min(p), b.max(p)));
            assert!(least < Duration::from_millis(1), "{least:?}");
            most
        };
        for (attempt, limit_ms) in [(1, 10), (2, 20), (3, 35), (40, 35), (u16::MAX, 35)] {
            let (most, limit) = (most(attempt), Duration::from_millis(limit_ms));
            assert!(most <= limit && most > limit * 9 / 10, "after {attempt}: {most:?}");
        }
        let pause = |seed, call| retry.pause_after(3, call, Random { seed });
        assert_eq!(pause(1, 2), pause(1, 2));
        assert!(pause(1, 2) != pause(2, 2) && pause(1, 2) != pause(1, 3));
        let endless = Retry::attempts(2).pause(Duration::MAX, Duration::MAX);
        assert!(endless.pause_after(u16::MAX, 0, Random { seed: 1 }) > Duration::from_secs(1));
    }
}
