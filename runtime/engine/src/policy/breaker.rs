//! Circuit breaker: stops calling a target that fails, and finds out when it has recovered.

use super::rolling_count::{RollingCount, SECONDS};
use super::time_units::{MS, S};
use crate::Random;

/// Number of calls in ten seconds from which the rate of failures counts.
const MIN_CALLS: u64 = 20;

/// Time after which another probe may follow although the last one has not ended.
const MAX_PROBE_NS: u64 = 30 * S;

/// Settings of a breaker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerSettings {
    /// Number of failures in a row that opens the breaker. 0 means any number.
    pub failures: u32,
    /// Time for which nothing may have succeeded before failures in a row open the breaker, in nanoseconds.
    pub failing_for_ns: u64,
    /// Share of failures among at least 20 calls in ten seconds that opens the breaker. 0 means any share.
    pub failure_rate: f64,
    /// Time that the breaker stays open before the first probe, in nanoseconds.
    pub open_ns: u64,
    /// Longest time that it stays open, in nanoseconds. The time doubles up to this as long as nothing succeeds.
    pub open_max_ns: u64,
}

/// State of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls are made.
    Closed,
    /// Calls are refused.
    Open {
        /// Time of the first probe.
        until_ns: u64,
    },
    /// Probing: a single call at a time is made as a probe, and the others are refused.
    HalfOpen,
}

/// Right to make one call. Its end is reported with [`Breaker::record`] or [`Breaker::abandon`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPass {
    /// Number of times that the breaker had changed its state when the call began. Calls of an earlier time say nothing
    /// about the present.
    generation: u64,
    /// True if the call is a probe.
    pub is_probe: bool,
}

impl BreakerPass {
    /// Returns true if the breaker has not changed its state since the call began.
    #[cfg(test)]
    pub(super) const fn generation_is(self, breaker: &Breaker) -> bool {
        self.generation == breaker.generation
    }
}

/// Change of state that the end of a call has caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerChange {
    /// The breaker has opened.
    Opened {
        /// Time for which it stays open, in nanoseconds.
        for_ns: u64,
    },
    /// The breaker has closed.
    Closed,
}

/// A circuit breaker.
///
/// It opens when a number of calls in a row have failed and nothing has succeeded for a while, which shows that the target
/// is down, or at a high rate of failures. A target of which a part works stays in use: the retry budget limits the load
/// on it, and a breaker would give up the calls that succeed. While the breaker is open, calls are refused. Then it lets
/// one call at a time through as a probe: a success closes it, and a failure opens it again. The time that it stays open
/// can double with each failed probe.
#[derive(Debug, Clone, PartialEq)]
pub struct Breaker {
    settings: BreakerSettings,
    seed: u64,
    state: BreakerState,
    generation: u64,
    failures_in_a_row: u32,
    /// End of the first of these failures.
    failing_since_ns: u64,
    calls: RollingCount,
    failures: RollingCount,
    /// Number of times that the open time has doubled.
    doublings: u32,
    /// Start of the probe in flight.
    probe_since_ns: Option<u64>,
}

impl Breaker {
    /// Creates a closed breaker. The seed determines the jitter.
    pub fn new(settings: BreakerSettings, seed: u64) -> Self {
        Self {
            settings,
            seed,
            state: BreakerState::Closed,
            generation: 0,
            failures_in_a_row: 0,
            failing_since_ns: 0,
            calls: RollingCount::default(),
            failures: RollingCount::default(),
            doublings: 0,
            probe_since_ns: None,
        }
    }

    /// Changes the settings. A breaker that can no longer open closes.
    pub fn set(&mut self, settings: BreakerSettings) {
        self.settings = settings;
        if settings.failures == 0 && settings.failure_rate <= 0.0 && self.state != BreakerState::Closed {
            self.close();
        }
    }

    /// Returns its state.
    pub const fn state(&self) -> BreakerState {
        self.state
    }

    /// Returns true if the next success changes nothing: the breaker is closed, and no failure counts against it. The
    /// owner may then report successes later, and many at once.
    pub const fn is_calm(&self) -> bool {
        matches!(self.state, BreakerState::Closed) && self.failures_in_a_row == 0
    }

    /// Asks to make a call.
    ///
    /// # Errors
    /// The call is refused; the value is the time until the next probe, in nanoseconds, and 0 if one is in flight.
    pub fn request(&mut self, now_ns: u64) -> Result<BreakerPass, u64> {
        match self.state {
            BreakerState::Closed => return Ok(self.pass(false)),
            BreakerState::Open { until_ns } if now_ns < until_ns => return Err(until_ns - now_ns),
            BreakerState::Open { .. } => self.change(BreakerState::HalfOpen),
            BreakerState::HalfOpen => {}
        }
        let is_probing = |since_ns: u64| now_ns.saturating_sub(since_ns) < MAX_PROBE_NS;
        if self.probe_since_ns.is_some_and(is_probing) {
            return Err(0);
        }
        if self.probe_since_ns.is_some() {
            // The probe that never ended must not count any more, or two would be in flight.
            self.generation += 1;
        }
        self.probe_since_ns = Some(now_ns);
        Ok(self.pass(true))
    }

    /// Returns a pass for a call that started while the breaker was calm. It is valid if the breaker still is.
    pub const fn pass(&self, is_probe: bool) -> BreakerPass {
        BreakerPass { generation: self.generation, is_probe }
    }

    /// Records successes that were made while the breaker was calm.
    pub fn record_successes(&mut self, count: u64, now_ns: u64) {
        self.calls.add(now_ns, count);
    }

    /// Records the end of a call.
    pub fn record(&mut self, pass: BreakerPass, is_failure: bool, now_ns: u64) -> Option<BreakerChange> {
        self.calls.add(now_ns, 1);
        self.failures.add(now_ns, u64::from(is_failure));
        if pass.generation != self.generation {
            return None;
        }
        match self.state {
            BreakerState::Closed if !is_failure => self.failures_in_a_row = 0,
            BreakerState::Closed => {
                if self.failures_in_a_row == 0 {
                    self.failing_since_ns = now_ns;
                }
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
                if self.is_dead(now_ns) || self.is_rate_exceeded(now_ns) {
                    return Some(self.open(now_ns));
                }
            }
            BreakerState::HalfOpen if !pass.is_probe => {}
            BreakerState::HalfOpen if is_failure => return Some(self.open(now_ns)),
            BreakerState::HalfOpen => {
                self.close();
                return Some(BreakerChange::Closed);
            }
            BreakerState::Open { .. } => {}
        }
        None
    }

    /// Gives a pass back whose call was canceled, so that its end says nothing about the target.
    pub fn abandon(&mut self, pass: BreakerPass) {
        if pass.is_probe && pass.generation == self.generation {
            self.probe_since_ns = None;
        }
    }

    /// Returns true if many calls in a row have failed, and nothing has succeeded for a while.
    const fn is_dead(&self, now_ns: u64) -> bool {
        let BreakerSettings { failures, failing_for_ns, .. } = self.settings;
        failures > 0
            && self.failures_in_a_row >= failures
            && now_ns.saturating_sub(self.failing_since_ns) >= failing_for_ns
    }

    fn is_rate_exceeded(&mut self, now_ns: u64) -> bool {
        let BreakerSettings { failure_rate, .. } = self.settings;
        let (calls, failures) = (self.calls.sum(now_ns), self.failures.sum(now_ns));
        failure_rate > 0.0 && calls >= MIN_CALLS && failures as f64 >= calls as f64 * failure_rate
    }

    fn open(&mut self, now_ns: u64) -> BreakerChange {
        self.doublings = match self.state {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen | BreakerState::Open { .. } => self.doublings.saturating_add(1),
        };
        let first_ns = self.settings.open_ns.max(MS);
        let doubled_ns = first_ns.saturating_mul(1_u64.checked_shl(self.doublings).unwrap_or(u64::MAX));
        let open_ns = doubled_ns.min(self.settings.open_max_ns.max(first_ns));
        // Between four fifths and all of it, so that the processes of a service do not probe at the same time.
        let random = u128::from(Random { seed: self.seed }.u64(self.generation));
        let jitter_ns = ((u128::from(open_ns / 5) * random) >> 64) as u64;
        let for_ns = open_ns - jitter_ns;
        self.change(BreakerState::Open { until_ns: now_ns.saturating_add(for_ns) });
        BreakerChange::Opened { for_ns }
    }

    fn close(&mut self) {
        self.change(BreakerState::Closed);
        // What happened before must not open the breaker again.
        (self.calls, self.failures) = (RollingCount::default(), RollingCount::default());
    }

    fn change(&mut self, state: BreakerState) {
        self.state = state;
        self.generation += 1;
        self.failures_in_a_row = 0;
        self.probe_since_ns = None;
    }
}

const _: () = assert!(SECONDS * S == 10 * S, "the documentation says ten seconds");
