//! Trying again: how often, after which pause, and what it is worth it for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zerver_trace::{EffectError, EffectErrorKind};

use super::{Call, EffectKind};
use crate::{Failure, Random};

/// Sets pauses apart from what steps make of the same randomness.
const SALT: u64 = 0x7265_7472_7920_6166;

/// How the calls of an effect are tried again; see [`Effect::retry`](crate::Effect::retry).
///
/// A call is tried again when it took longer than it had, when whom it asks could not be reached or hung up, and when its
/// output says that the same may succeed later ([`EffectKind::is_temporary`]: for `http` a 408, 429, 502, 503 or 504).
/// Before each further attempt there is a pause: a random part of 50 ms, then of twice as much, and so on, up to 1 s
/// ("full jitter": M. Brooker, Exponential Backoff and Jitter, 2015). The randomness is that of the request, so that a
/// replay does the same. An attempt has the time limit that the call has, and all of them end with the request's deadline.
///
/// A call that is not idempotent ([`EffectKind::is_idempotent`]), such as a POST, is not tried again unless it is said.
#[derive(Clone)]
pub struct Retry {
    attempts: u16,
    first: Duration,
    longest: Duration,
    when: Option<IsWorthIt>,
    anything: bool,
}

type IsWorthIt = Arc<dyn Fn(&Failure) -> bool + Send + Sync>;

impl Retry {
    /// At most so many attempts, the first one counted.
    pub fn attempts(attempts: u16) -> Self {
        let (first, longest) = (Duration::from_millis(50), Duration::from_secs(1));
        Self { attempts, first, longest, when: None, anything: false }
    }

    /// The same with other pauses: a random part of `first`, then of twice as much, and so on, but never of more than
    /// `longest`.
    #[must_use]
    pub fn pause(self, first: Duration, longest: Duration) -> Self {
        Self { first, longest, ..self }
    }

    /// The same where this says which failures of a call are worth another attempt. The failure is the one that the
    /// request would have without another attempt: for `http::get(..).json()` also a status other than 2xx, and a body
    /// that does not fit.
    #[must_use]
    pub fn when(self, is_worth_it: impl Fn(&Failure) -> bool + Send + Sync + 'static) -> Self {
        Self { when: Some(Arc::new(is_worth_it)), ..self }
    }

    /// The same also for calls that are not idempotent: what such a call does may then be done several times.
    #[must_use]
    pub fn also_not_idempotent(self) -> Self {
        Self { anything: true, ..self }
    }

    /// Whether this call may be tried again at all.
    pub(super) fn allows(&self, call: &Call) -> bool {
        self.attempts > 1 && (self.anything || call.is_idempotent())
    }

    /// Whether there is to be another attempt after this one; `failure` is what came of it.
    pub(super) fn goes_on<K: EffectKind>(
        &self,
        attempt: u16,
        output: Result<&K::Output, &EffectError>,
        failure: impl FnOnce() -> Option<Failure>,
    ) -> bool {
        attempt < self.attempts
            && match (&self.when, output) {
                (Some(is_worth_it), _) => failure().is_some_and(|failure| is_worth_it(&failure)),
                (None, Ok(output)) => K::is_temporary(output),
                (None, Err(error)) => {
                    matches!(error.kind, EffectErrorKind::Timeout | EffectErrorKind::Unreachable)
                }
            }
    }

    /// The pause after this attempt; `call` numbers the next one.
    pub(super) fn pause_after(&self, attempt: u16, call: u32, random: Random) -> Duration {
        let doubled = 1_u32.checked_shl(u32::from(attempt.saturating_sub(1))).unwrap_or(u32::MAX);
        let most = self.first.saturating_mul(doubled).min(self.longest);
        let random = Random { seed: random.seed ^ SALT }.u64(u64::from(call));
        let most_ns = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        let part = (u128::from(most_ns) * u128::from(random)) >> 64;
        Duration::from_nanos(u64::try_from(part).unwrap_or(most_ns))
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempts, first, longest, .. } = self;
        write!(f, "Retry({attempts} attempts, pauses of {first:?} to {longest:?})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_a_random_part_of_what_doubles_up_to_a_limit() {
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
