//! Objectives of a flow: how long its requests may take, and how many may fail.

use std::time::Duration;

/// Service level objectives of a flow, for [`FlowDef::slo`](crate::FlowDef::slo).
///
/// Each objective leaves a budget: 5 % of the requests may take longer than `p95`, 1 % longer than `p99`, and the given share
/// may fail with a status of 5xx. The burn rate is how many times faster than allowed the budget is used.
///
/// ```
/// use std::time::Duration;
/// use zerver_engine::Slo;
///
/// const SLO: Slo = Slo::new().p95(Duration::from_millis(50)).p99(Duration::from_millis(200)).errors(0.001);
/// assert_eq!(SLO.p99_limit(), Some(Duration::from_millis(200)));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slo {
    p95: Option<Duration>,
    p99: Option<Duration>,
    /// In millionths.
    errors: Option<u32>,
}

impl Slo {
    /// Creates objectives that any request meets.
    pub const fn new() -> Self {
        Self { p95: None, p99: None, errors: None }
    }

    /// Sets the time within which 95 % of the requests should be answered.
    ///
    /// # Panics
    /// If it is zero, or longer than the limit of 99 %. In `flow!`, this is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn p95(mut self, limit: Duration) -> Self {
        self.p95 = Some(limit);
        self.check();
        self
    }

    /// Sets the time within which 99 % of the requests should be answered.
    ///
    /// # Panics
    /// If it is zero, or shorter than the limit of 95 %. In `flow!`, this is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn p99(mut self, limit: Duration) -> Self {
        self.p99 = Some(limit);
        self.check();
        self
    }

    /// Sets the share of the requests that may fail: 0.001 is 0.1 %. It is rounded to millionths.
    ///
    /// # Panics
    /// If it is less than a millionth, or not less than 1. In `flow!`, this is a compile error.
    #[must_use]
    #[track_caller]
    pub const fn errors(mut self, share: f64) -> Self {
        assert!(
            share >= 1e-6 && share < 1.0,
            "the share of errors must be at least 0.000001 and less than 1"
        );
        self.errors = Some((share * 1e6 + 0.5) as u32);
        self
    }

    /// Returns the time within which 95 % of the requests should be answered.
    pub const fn p95_limit(&self) -> Option<Duration> {
        self.p95
    }

    /// Returns the time within which 99 % of the requests should be answered.
    pub const fn p99_limit(&self) -> Option<Duration> {
        self.p99
    }

    /// Returns the share of the requests that may fail, in millionths.
    pub const fn error_millionths(&self) -> Option<u32> {
        self.errors
    }

    #[track_caller]
    const fn check(&self) {
        let (p95, p99) = (nanos(self.p95), nanos(self.p99));
        assert!(p95 > 0 && p99 > 0, "a limit of an SLO must be longer than zero");
        if self.p95.is_some() && self.p99.is_some() {
            assert!(p95 <= p99, "the limit of 95 % of an SLO must not be longer than that of 99 %");
        }
    }
}

/// Returns a limit in nanoseconds; a limit that is not set is positive.
const fn nanos(limit: Option<Duration>) -> u128 {
    match limit {
        Some(limit) => limit.as_nanos(),
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_refused() {
        let (short, long) = (Duration::from_millis(1), Duration::from_millis(2));
        let panics =
            |build: fn(Duration, Duration) -> Slo| std::panic::catch_unwind(|| build(short, long)).is_err();
        assert!(!panics(|short, long| Slo::new().p99(long).p95(short)));
        assert!(panics(|short, long| Slo::new().p99(short).p95(long)));
        assert!(panics(|short, long| Slo::new().p95(long).p99(short)));
        assert!(panics(|_, _| Slo::new().p95(Duration::ZERO)));
        assert!(panics(|_, _| Slo::new().errors(0.0)));
        assert!(panics(|_, _| Slo::new().errors(1.0)));
        assert!(panics(|_, _| Slo::new().errors(f64::NAN)));
        assert_eq!(Slo::new().errors(0.001).error_millionths(), Some(1_000));
    }
}
