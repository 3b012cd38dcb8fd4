//! Pauses between attempts.

use std::time::Duration;

/// Bounds of the longest pause.
const FIRST: Duration = Duration::from_millis(200);
const LAST: Duration = Duration::from_secs(30);

/// Pauses that double, each with full jitter, so that the nodes of a fleet do not come back together.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    pub(super) const fn reset(&mut self) {
        self.attempts = 0;
    }

    pub(super) fn next_pause(&mut self) -> Duration {
        let longest = FIRST.saturating_mul(1 << self.attempts.min(16)).min(LAST);
        self.attempts += 1;
        let share = getrandom::u32().unwrap_or(u32::MAX);
        longest.mul_f64(f64::from(share) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_begin_again() {
        let mut backoff = Backoff::default();
        let longest = |backoff: &mut Backoff, attempts: u32| {
            (0..64)
                .map(|_| {
                    backoff.attempts = attempts;
                    backoff.next_pause()
                })
                .max()
                .unwrap_or_default()
        };
        assert!(longest(&mut backoff, 0) <= FIRST);
        assert!(longest(&mut backoff, 5) > FIRST);
        assert!(longest(&mut backoff, 200) <= LAST);
        backoff.reset();
        assert!(backoff.next_pause() <= FIRST);
    }
}
