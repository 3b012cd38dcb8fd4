//! The state of one target, shared by all threads. It decides whether a call may be made, and learns how calls ended.
//!
//! A call to a target that works touches two counters. The lock is taken once a second, and while the target fails.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
#[cfg(feature = "metrics")]
use zerver_engine::service_docs::TargetMetrics;
use zerver_engine::{
    AdaptiveLimit, Breaker, BreakerChange, BreakerPass, BreakerState, CallOutcome, EffectError,
    EffectErrorKind, Places, RateLimit, RetryBudget, TargetPolicy,
};
use zerver_trace::PolicyDecision;
use zerver_trace::duration::HumanDuration;

use super::target_call::PolicyNote;

const SECOND_NS: u64 = 1_000_000_000;

/// Time without a call after which a target that works may be forgotten.
const IDLE_SECONDS: u64 = 10;

/// Value of [`Target::places`] if the limit is that of all targets.
const SHARED: usize = usize::MAX;

/// The state of one target.
pub(crate) struct Target {
    name: Arc<str>,
    policy: ArcSwap<TargetPolicy>,
    /// True if the breaker is closed and no failure counts against the target.
    is_calm: AtomicBool,
    /// True if calls may have to wait for the rate limit.
    has_rate: AtomicBool,
    places: AtomicUsize,
    in_flight: AtomicUsize,
    /// Second to which the two counters below belong.
    second: AtomicU64,
    calls: AtomicU64,
    successes: AtomicU64,
    state: Mutex<TargetState>,
    counters: TargetCounters,
}

struct TargetState {
    breaker: Breaker,
    budget: RetryBudget,
    rate: Option<RateLimit>,
    adaptive: Option<AdaptiveLimit>,
}

/// Counters since the start.
#[derive(Default)]
struct TargetCounters {
    opened: AtomicU64,
    breaker_refusals: AtomicU64,
    rate_refusals: AtomicU64,
    rate_waits: AtomicU64,
    rate_waited_ns: AtomicU64,
    retries: AtomicU64,
    budget_refusals: AtomicU64,
}

/// A call that a policy did not let through.
pub(crate) struct CallRefusal {
    pub(crate) error: EffectError,
    pub(crate) note: PolicyNote,
}

impl Target {
    pub(super) fn new(name: Arc<str>, policy: &TargetPolicy, seed: u64) -> Self {
        let state = TargetState {
            breaker: policy.new_breaker(seed),
            budget: RetryBudget::new(policy.retry_budget),
            rate: None,
            adaptive: None,
        };
        let target = Self {
            name,
            policy: ArcSwap::from_pointee(policy.clone()),
            is_calm: AtomicBool::new(true),
            has_rate: AtomicBool::default(),
            places: AtomicUsize::new(SHARED),
            in_flight: AtomicUsize::default(),
            second: AtomicU64::default(),
            calls: AtomicU64::default(),
            successes: AtomicU64::default(),
            state: Mutex::new(state),
            counters: TargetCounters::default(),
        };
        target.retune(policy);
        target
    }

    /// Replaces the policy.
    pub(super) fn retune(&self, policy: &TargetPolicy) {
        let mut state = self.lock();
        state.breaker.set(policy.breaker());
        state.budget.set_share(policy.retry_budget);
        state.rate = match state.rate.take() {
            Some(rate) => rate.with(policy.rate, policy.burst),
            None => RateLimit::new(policy.rate, policy.burst),
        };
        state.adaptive = match policy.places {
            Places::Auto => Some(state.adaptive.take().unwrap_or_default()),
            Places::Shared | Places::Max(_) => None,
        };
        let adaptive = state.adaptive.as_ref().map(AdaptiveLimit::limit);
        let places = match policy.places {
            Places::Max(places) => places.min(SHARED - 1),
            Places::Shared | Places::Auto => adaptive.unwrap_or(SHARED),
        };
        self.places.store(places, Ordering::Relaxed);
        self.has_rate.store(state.rate.is_some(), Ordering::Relaxed);
        self.is_calm.store(state.breaker.is_calm(), Ordering::Relaxed);
        self.policy.store(Arc::new(policy.clone()));
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn policy(&self) -> arc_swap::Guard<Arc<TargetPolicy>> {
        self.policy.load()
    }

    /// Returns the maximum number of calls in flight, if the target has one of its own. 0 means no limit.
    pub(crate) fn places(&self) -> Option<usize> {
        Some(self.places.load(Ordering::Relaxed)).filter(|places| *places != SHARED)
    }

    /// Returns true if the target works and was not called for a while.
    pub(super) fn is_idle(&self, now_ns: u64) -> bool {
        let idle_s = (now_ns / SECOND_NS).saturating_sub(self.second.load(Ordering::Relaxed));
        self.is_calm.load(Ordering::Relaxed)
            && idle_s > IDLE_SECONDS
            && self.in_flight.load(Ordering::Relaxed) == 0
    }

    /// Gives a call its place under the rate limit. Returns the time that it has to wait, in nanoseconds.
    pub(crate) fn reserve_rate(&self, now_ns: u64, max_wait_ns: u64) -> Result<u64, CallRefusal> {
        if !self.has_rate.load(Ordering::Relaxed) {
            return Ok(0);
        }
        let Some(result) = self.lock().rate.as_mut().map(|rate| rate.reserve(now_ns, max_wait_ns)) else {
            return Ok(0);
        };
        match result {
            Ok(0) => Ok(0),
            Ok(wait_ns) => {
                add(&self.counters.rate_waits, 1);
                add(&self.counters.rate_waited_ns, wait_ns);
                Ok(wait_ns)
            }
            Err(exceeded) => {
                add(&self.counters.rate_refusals, 1);
                let wait = HumanDuration { ns: exceeded.wait_ns };
                let reason =
                    format!("{}: the rate limit is used up for {wait}, past the deadline", self.name);
                Err(CallRefusal {
                    error: EffectError::new(EffectErrorKind::Refused, reason),
                    note: (PolicyDecision::RateRefused, exceeded.wait_ns),
                })
            }
        }
    }

    /// Returns a refusal if the breaker is open, without making a call. A probe is let through later.
    pub(crate) fn check(&self, now_ns: u64) -> Result<(), CallRefusal> {
        if self.is_calm.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.lock().breaker.state() {
            BreakerState::Open { until_ns } if now_ns < until_ns => Err(self.refusal(until_ns - now_ns)),
            BreakerState::Open { .. } | BreakerState::Closed | BreakerState::HalfOpen => Ok(()),
        }
    }

    /// Begins a call. Returns the pass of the breaker, or `None` while the target works.
    pub(super) fn begin(&self, attempt: u16, now_ns: u64) -> Result<Option<BreakerPass>, CallRefusal> {
        let pass = match self.is_calm.load(Ordering::Relaxed) {
            true => None,
            false => {
                let requested = self.lock().breaker.request(now_ns);
                Some(requested.map_err(|wait_ns| self.refusal(wait_ns))?)
            }
        };
        self.roll(now_ns);
        if attempt <= 1 {
            add(&self.calls, 1);
        }
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Ok(pass)
    }

    /// Ends a call whose result says nothing about the target.
    pub(super) fn abandon(&self, pass: Option<BreakerPass>) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some(pass) = pass {
            self.lock().breaker.abandon(pass);
        }
    }

    /// Ends a call.
    pub(super) fn end(
        &self,
        pass: Option<BreakerPass>,
        outcome: CallOutcome,
        now_ns: u64,
    ) -> Option<PolicyNote> {
        let in_flight = self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let is_adaptive = || matches!(self.policy().places, Places::Auto);
        if !outcome.is_failure() && pass.is_none() && self.is_calm.load(Ordering::Relaxed) && !is_adaptive() {
            self.roll(now_ns);
            add(&self.successes, 1);
            return None;
        }
        self.end_eventful(pass, outcome, now_ns, in_flight)
    }

    #[cold]
    fn end_eventful(
        &self,
        pass: Option<BreakerPass>,
        outcome: CallOutcome,
        now_ns: u64,
        in_flight: usize,
    ) -> Option<PolicyNote> {
        let mut state = self.lock();
        self.collect(&mut state);
        let pass = pass.unwrap_or_else(|| state.breaker.pass(false));
        let change = state.breaker.record(pass, outcome.is_failure(), now_ns);
        if let Some(adaptive) = &mut state.adaptive {
            adaptive.record(now_ns, outcome, in_flight);
            self.places.store(adaptive.limit(), Ordering::Relaxed);
        }
        self.is_calm.store(state.breaker.is_calm(), Ordering::Relaxed);
        drop(state);
        match change? {
            BreakerChange::Opened { for_ns } => {
                add(&self.counters.opened, 1);
                Some((PolicyDecision::BreakerOpened, for_ns))
            }
            BreakerChange::Closed => Some((PolicyDecision::BreakerClosed, 0)),
        }
    }

    /// Takes a retry from the budget. Returns false if it is exhausted.
    pub(crate) fn take_retry(&self, now_ns: u64) -> bool {
        let mut state = self.lock();
        self.collect(&mut state);
        let is_allowed = state.budget.take_retry(now_ns);
        drop(state);
        add(if is_allowed { &self.counters.retries } else { &self.counters.budget_refusals }, 1);
        is_allowed
    }

    #[cold]
    fn refusal(&self, wait_ns: u64) -> CallRefusal {
        add(&self.counters.breaker_refusals, 1);
        let reason = match wait_ns {
            0 => format!("{}: the circuit breaker is open; a probe is in flight", self.name),
            ns => format!("{}: the circuit breaker is open for another {}", self.name, HumanDuration { ns }),
        };
        CallRefusal {
            error: EffectError::new(EffectErrorKind::Refused, reason),
            note: (PolicyDecision::BreakerRefused, wait_ns),
        }
    }

    /// Passes the counters on when a second is over.
    fn roll(&self, now_ns: u64) {
        let second = now_ns / SECOND_NS;
        if second > self.second.load(Ordering::Relaxed) {
            let mut state = self.lock();
            self.collect(&mut state);
            self.second.fetch_max(second, Ordering::Relaxed);
        }
    }

    /// Adds what was counted to the state, as of the second in which it happened.
    fn collect(&self, state: &mut TargetState) {
        let at_ns = self.second.load(Ordering::Relaxed).saturating_mul(SECOND_NS);
        let (calls, successes) =
            (self.calls.swap(0, Ordering::Relaxed), self.successes.swap(0, Ordering::Relaxed));
        if calls > 0 {
            state.budget.record_calls(calls, at_ns);
        }
        if successes > 0 {
            state.breaker.record_successes(successes, at_ns);
        }
    }

    fn lock(&self) -> MutexGuard<'_, TargetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the state of its breaker: `closed`, `open` or `half_open`.
    pub(crate) fn breaker(&self) -> &'static str {
        match self.lock().breaker.state() {
            BreakerState::Closed => "closed",
            BreakerState::Open { .. } => "open",
            BreakerState::HalfOpen => "half_open",
        }
    }

    /// Returns its counters and the state of its breaker.
    #[cfg(feature = "metrics")]
    pub(crate) fn metrics(&self, now_ns: u64) -> TargetMetrics {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let breaker = self.breaker();
        let mut state = self.lock();
        self.collect(&mut state);
        let budget = state.budget.available(now_ns);
        drop(state);
        let counters = &self.counters;
        TargetMetrics {
            target: self.name.to_string(),
            breaker: breaker.to_owned(),
            in_flight: self.in_flight.load(Ordering::Relaxed) as u64,
            places: self.places().map(|places| places as u64),
            budget,
            opened: count(&counters.opened),
            breaker_refusals: count(&counters.breaker_refusals),
            rate_waits: count(&counters.rate_waits),
            rate_waited_ns: count(&counters.rate_waited_ns),
            rate_refusals: count(&counters.rate_refusals),
            retries: count(&counters.retries),
            budget_refusals: count(&counters.budget_refusals),
        }
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// Returns the pause before an attempt that no policy of an effect asks for, if the target's policy repeats the call.
pub(super) fn default_pause(policy: &TargetPolicy, end: &zerver_engine::AttemptEnd<'_>) -> Option<Duration> {
    let retry = policy.retry().filter(|_| end.attempt < policy.attempts)?;
    Some(end.pause(&retry))
}
