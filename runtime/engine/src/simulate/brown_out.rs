//! A target that becomes slow and unreliable for a while, and the clients that call it under a policy, in virtual time.
//!
//! [`simulate_brown_out`] runs the same [`Breaker`], [`RetryBudget`] and [`AdaptiveLimit`] as the runtime does. The result depends on its arguments alone.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::{
    AdaptiveLimit, Breaker, BreakerPass, CallOutcome, Places, Random, RetryBudget, TargetPolicy,
    max_place_wait_ns,
};

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

/// A target, its brown-out, and its clients.
#[derive(Debug, Clone, PartialEq)]
pub struct BrownOut {
    /// Number of clients. Each makes one call per period, whether or not the last one has ended.
    pub clients: u32,
    /// Time between two calls of a client, in nanoseconds.
    pub period_ns: u64,
    /// Time limit of an attempt, in nanoseconds.
    pub timeout_ns: u64,
    /// Time within which a call must have ended, its wait for a place and its attempts included, in nanoseconds.
    pub deadline_ns: u64,
    /// Number of calls that the target works on at the same time. Others wait there, in order of arrival.
    pub capacity: usize,
    /// Time that the target works on a call, in nanoseconds.
    pub latency_ns: u64,
    /// Times at which the brown-out begins and ends.
    pub from_ns: u64,
    /// See `from_ns`.
    pub to_ns: u64,
    /// Factor by which the target is slower meanwhile.
    pub slowdown: u64,
    /// Share of the calls that fail meanwhile, in thousandths.
    pub failing: u64,
    /// Time at which the simulation ends.
    pub end_ns: u64,
    /// Policy of the clients, which share one breaker, one budget, and the places at the target. Calls without a place wait
    /// at the clients, in order of arrival.
    pub policy: TargetPolicy,
    /// False to make every retry that the policy allows, without the budget.
    pub has_budget: bool,
    /// Seed of the failures and the pauses.
    pub seed: u64,
}

/// Result of a brown-out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BrownOutResult {
    /// Calls of the clients in each second, without retries.
    pub calls: Vec<u64>,
    /// Attempts that reached the target in each second.
    pub attempts: Vec<u64>,
    /// Calls that succeeded in each second, by the time at which they began.
    pub succeeded: Vec<u64>,
    /// Attempts that a breaker refused in each second.
    pub refused: Vec<u64>,
}

impl BrownOutResult {
    /// Returns the attempts that reached the target per call, between two seconds.
    pub fn load(&self, from: usize, to: usize) -> f64 {
        let sum = |counts: &[u64]| counts[from..to].iter().sum::<u64>() as f64;
        sum(&self.attempts) / sum(&self.calls)
    }

    /// Returns the share of calls that succeeded, of those that began between two seconds.
    pub fn goodput(&self, from: usize, to: usize) -> f64 {
        let sum = |counts: &[u64]| counts[from..to].iter().sum::<u64>() as f64;
        sum(&self.succeeded) / sum(&self.calls)
    }

    /// Returns the number of seconds from `healed` until 99 of 100 calls succeed in each second.
    pub fn recovery_seconds(&self, healed: usize) -> usize {
        let is_bad = |second: &usize| self.succeeded[*second] * 100 < self.calls[*second] * 99;
        (healed..self.calls.len()).rev().find(is_bad).map_or(0, |last| last + 1 - healed)
    }
}

/// Attempt of a call.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    number: u16,
    /// Time at which the call began.
    call_ns: u64,
    began_ns: u64,
    pass: BreakerPass,
    has_ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// A client makes its next call.
    Call(u32),
    /// A call is made again: the number of the attempt, and when the call began.
    Retry(u16, u64),
    /// The target has finished an attempt.
    Finished(usize),
    /// The client of an attempt has waited for long enough.
    TimedOut(usize),
}

/// Number of calls that may be in flight.
enum Limit {
    Fixed(usize),
    Adaptive(AdaptiveLimit),
}

struct Simulation<'b> {
    setup: &'b BrownOut,
    now_ns: u64,
    /// Number that orders what is due at the same time.
    next: u64,
    agenda: BinaryHeap<Reverse<(u64, u64, Due)>>,
    attempts: Vec<Attempt>,
    /// Attempts that wait at the target. It does not learn when their clients have left.
    waiting: VecDeque<usize>,
    busy: usize,
    /// Attempts that have no place at the target yet: the number of the attempt, when the call began, and since when the
    /// attempt waits.
    queued: VecDeque<(u16, u64, u64)>,
    limit: Limit,
    in_flight: usize,
    breaker: Breaker,
    budget: RetryBudget,
    random: u64,
    result: BrownOutResult,
}

/// Simulates a brown-out. The same arguments give the same result.
pub fn simulate_brown_out(setup: &BrownOut) -> BrownOutResult {
    let seconds = (setup.end_ns / S) as usize + 1;
    let mut simulation = Simulation {
        setup,
        now_ns: 0,
        next: 0,
        agenda: BinaryHeap::new(),
        attempts: Vec::new(),
        waiting: VecDeque::new(),
        busy: 0,
        queued: VecDeque::new(),
        limit: match setup.policy.places {
            Places::Auto => Limit::Adaptive(AdaptiveLimit::default()),
            Places::Max(places @ 1..) => Limit::Fixed(places),
            Places::Max(0) | Places::Shared => Limit::Fixed(usize::MAX),
        },
        in_flight: 0,
        breaker: setup.policy.new_breaker(setup.seed),
        budget: RetryBudget::new(setup.policy.retry_budget),
        random: 0,
        result: BrownOutResult {
            calls: vec![0; seconds],
            attempts: vec![0; seconds],
            succeeded: vec![0; seconds],
            refused: vec![0; seconds],
        },
    };
    for client in 0..setup.clients {
        let at_ns = setup.period_ns * u64::from(client) / u64::from(setup.clients.max(1));
        simulation.plan(at_ns, Due::Call(client));
    }
    while let Some(Reverse((at_ns, _, due))) = simulation.agenda.pop() {
        if at_ns >= setup.end_ns {
            break;
        }
        simulation.now_ns = at_ns;
        match due {
            Due::Call(client) => {
                simulation.plan(at_ns + setup.period_ns, Due::Call(client));
                simulation.result.calls[second(at_ns)] += 1;
                simulation.budget.record_calls(1, at_ns);
                simulation.queue(1, at_ns);
            }
            Due::Retry(number, call_ns) => simulation.queue(number, call_ns),
            Due::Finished(attempt) => simulation.finished(attempt),
            Due::TimedOut(attempt) => simulation.ended(attempt, CallOutcome::TimedOut),
        }
    }
    simulation.result
}

const fn second(at_ns: u64) -> usize {
    (at_ns / S) as usize
}

impl Simulation<'_> {
    fn plan(&mut self, at_ns: u64, due: Due) {
        self.next += 1;
        self.agenda.push(Reverse((at_ns, self.next, due)));
    }

    fn random(&mut self) -> u64 {
        self.random += 1;
        Random { seed: self.setup.seed }.u64(self.random)
    }

    const fn is_browned_out(&self) -> bool {
        self.setup.from_ns <= self.now_ns && self.now_ns < self.setup.to_ns
    }

    fn queue(&mut self, number: u16, call_ns: u64) {
        self.queued.push_back((number, call_ns, self.now_ns));
        self.begin();
    }

    /// Begins the attempts that wait, as long as there are places for them.
    fn begin(&mut self) {
        let limit = |limit: &Limit| match limit {
            Limit::Fixed(limit) => *limit,
            Limit::Adaptive(adaptive) => adaptive.limit(),
        };
        while self.in_flight < limit(&self.limit)
            && let Some((number, call_ns, queued_ns)) = self.queued.pop_front()
        {
            self.attempt(number, call_ns, queued_ns);
        }
    }

    fn attempt(&mut self, number: u16, call_ns: u64, queued_ns: u64) {
        let until_ns = call_ns.saturating_add(self.setup.deadline_ns);
        if self.now_ns - queued_ns > max_place_wait_ns(until_ns.saturating_sub(queued_ns)) {
            return;
        }
        let Ok(pass) = self.breaker.request(self.now_ns) else {
            self.result.refused[second(self.now_ns)] += 1;
            return;
        };
        self.result.attempts[second(self.now_ns)] += 1;
        let began_ns = self.now_ns;
        self.attempts.push(Attempt { number, call_ns, began_ns, pass, has_ended: false });
        let attempt = self.attempts.len() - 1;
        self.in_flight += 1;
        self.plan(until_ns.min(self.now_ns + self.setup.timeout_ns), Due::TimedOut(attempt));
        self.waiting.push_back(attempt);
        self.work();
    }

    /// Lets the target begin what waits there.
    fn work(&mut self) {
        while self.busy < self.setup.capacity
            && let Some(attempt) = self.waiting.pop_front()
        {
            self.busy += 1;
            let slowdown = if self.is_browned_out() { self.setup.slowdown } else { 1 };
            self.plan(self.now_ns + self.setup.latency_ns * slowdown, Due::Finished(attempt));
        }
    }

    fn finished(&mut self, attempt: usize) {
        self.busy -= 1;
        let is_failure = self.is_browned_out() && self.random() % 1_000 < self.setup.failing;
        let Attempt { call_ns, began_ns, .. } = self.attempts[attempt];
        let time_ns = self.setup.timeout_ns.min(call_ns.saturating_add(self.setup.deadline_ns) - began_ns);
        let outcome = CallOutcome::answered(is_failure, self.now_ns - began_ns, time_ns);
        self.ended(attempt, outcome);
        self.work();
    }

    /// Ends an attempt for its client, once.
    fn ended(&mut self, attempt: usize, outcome: CallOutcome) {
        let Attempt { number, call_ns, began_ns, pass, has_ended } = self.attempts[attempt];
        if has_ended {
            return;
        }
        self.attempts[attempt].has_ended = true;
        let is_failure = outcome.is_failure();
        if let Limit::Adaptive(adaptive) = &mut self.limit {
            adaptive.record(self.now_ns, outcome, self.in_flight);
        }
        self.in_flight -= 1;
        debug_assert!(began_ns <= self.now_ns, "time runs forwards");
        self.breaker.record(pass, is_failure, self.now_ns);
        self.begin();
        if !is_failure {
            self.result.succeeded[second(call_ns)] += 1;
            return;
        }
        if number < self.setup.policy.attempts
            && (!self.setup.has_budget || self.budget.take_retry(self.now_ns))
        {
            let limit_ns = (self.setup.policy.pause.as_nanos() as u64) << (number - 1).min(10);
            let pause_ns = self.random() % limit_ns.max(1);
            self.plan(self.now_ns + pause_ns, Due::Retry(number + 1, call_ns));
        }
    }
}
