//! Guarantees of the policies, for any sequence of calls.

use proptest::collection::vec;
use proptest::prelude::*;

use super::time_units::{MS, S};
use super::*;

fn settings() -> BreakerSettings {
    TargetPolicy::default().breaker()
}

/// Settings of a breaker that failures in a row open at once.
fn impatient() -> BreakerSettings {
    BreakerSettings { failing_for_ns: 0, ..settings() }
}

/// Makes a call that ends at once. Returns whether it was let through.
fn call(breaker: &mut Breaker, now_ns: u64, is_failure: bool) -> bool {
    let Ok(pass) = breaker.request(now_ns) else { return false };
    breaker.record(pass, is_failure, now_ns);
    true
}

#[test]
fn a_breaker_opens_after_five_failures_in_a_row_and_closes_after_a_success() {
    let mut breaker = Breaker::new(impatient(), 1);
    for is_failure in [true, true, true, true, false, true, true, true, true] {
        assert!(call(&mut breaker, 0, is_failure));
    }
    assert_eq!(breaker.state(), BreakerState::Closed, "a success in between starts the count again");
    let pass = breaker.request(0).unwrap();
    let Some(BreakerChange::Opened { for_ns }) = breaker.record(pass, true, 0) else { panic!("not opened") };
    assert!((800 * MS..=S).contains(&for_ns), "{for_ns}");
    assert_eq!(breaker.request(for_ns - 1), Err(1));
    let probe = breaker.request(for_ns).unwrap();
    assert!(probe.is_probe);
    assert_eq!(breaker.request(for_ns), Err(0), "one probe at a time");
    assert_eq!(breaker.record(probe, false, for_ns), Some(BreakerChange::Closed));
    assert!(breaker.is_calm());
}

#[test]
fn failures_in_a_row_open_a_breaker_only_if_nothing_has_succeeded_for_a_second() {
    let settings = BreakerSettings { failure_rate: 0.0, ..settings() };
    let mut breaker = Breaker::new(settings, 1);
    for at in 0..100 {
        call(&mut breaker, at * MS, true);
    }
    call(&mut breaker, 999 * MS, true);
    assert_eq!(breaker.state(), BreakerState::Closed, "a hundred calls at once can have one cause");
    call(&mut breaker, S, true);
    assert!(matches!(breaker.state(), BreakerState::Open { .. }));
    let mut slow = Breaker::new(settings, 1);
    for at in 0..4 {
        call(&mut slow, at * 10 * S, true);
    }
    assert_eq!(slow.state(), BreakerState::Closed, "four calls are too few");
    let mut working = Breaker::new(settings, 1);
    for at in 0..10_000 {
        call(&mut working, at * MS, at % 900 != 0);
    }
    assert_eq!(working.state(), BreakerState::Closed, "a call in 900 succeeds");
}

#[test]
fn a_breaker_opens_at_four_fifths_of_twenty_calls() {
    let mut breaker = Breaker::new(settings(), 1);
    for at in 0..19 {
        assert!(call(&mut breaker, at, at % 5 != 0));
    }
    assert_eq!(breaker.state(), BreakerState::Closed, "nineteen calls are too few");
    assert!(call(&mut breaker, 19, true));
    assert!(matches!(breaker.state(), BreakerState::Open { .. }));
    let mut slow = Breaker::new(settings(), 1);
    for at in 0..100 {
        call(&mut slow, at * S, at % 5 != 0);
    }
    assert_eq!(slow.state(), BreakerState::Closed, "calls count for ten seconds");
}

#[test]
fn a_dead_target_is_probed_every_second_or_ever_less_often() {
    let opened_for = |open_max_ns, is_failure: fn(&BreakerPass, u64) -> bool| {
        let settings = BreakerSettings { open_max_ns, ..settings() };
        let (mut breaker, mut now_ns, mut longest_ns, mut probes) = (Breaker::new(settings, 7), 0, 0, 0);
        while now_ns < 300 * S {
            match breaker.request(now_ns) {
                Ok(pass) => {
                    probes += u64::from(pass.is_probe);
                    if let Some(BreakerChange::Opened { for_ns }) =
                        breaker.record(pass, is_failure(&pass, probes), now_ns)
                    {
                        longest_ns = longest_ns.max(for_ns);
                    }
                    now_ns += 10 * MS;
                }
                Err(wait_ns) => now_ns += wait_ns.max(MS),
            }
        }
        (longest_ns, probes)
    };
    let (longest_ns, probes) = opened_for(S, |_, _| true);
    assert!(longest_ns <= S && (290..=390).contains(&probes), "{longest_ns} {probes}");
    let (longest_ns, probes) = opened_for(30 * S, |_, _| true);
    assert!((24 * S..=30 * S).contains(&longest_ns) && probes < 40, "{longest_ns} {probes}");
    let (longest_ns, probes) = opened_for(30 * S, |pass, probes| !pass.is_probe || probes % 2 == 0);
    assert!(longest_ns <= 2 * S && probes > 100, "a probe that succeeds ends it: {longest_ns} {probes}");
}

#[test]
fn the_answer_of_a_call_from_before_the_breaker_opened_changes_nothing() {
    let mut breaker = Breaker::new(impatient(), 1);
    let late = breaker.request(0).unwrap();
    for _ in 0..5 {
        call(&mut breaker, 0, true);
    }
    let state = breaker.state();
    assert_eq!((breaker.record(late, false, 1), breaker.state()), (None, state));
    let probe = breaker.request(S).unwrap();
    breaker.abandon(probe);
    assert!(breaker.request(S).unwrap().is_probe, "an abandoned probe makes room for another");
}

#[test]
fn a_budget_allows_a_fifth_of_the_calls_and_three_per_second() {
    let mut budget = RetryBudget::new(0.2);
    let mut retries = 0;
    for at in 0..100_000 {
        let now_ns = at * MS;
        budget.record_calls(1, now_ns);
        retries += u64::from(budget.take_retry(now_ns));
    }
    let expected = 100_000 / 5 + 3 * 100;
    // Slightly fewer, because the current second has not passed.
    assert!((expected - 2_000..=expected).contains(&retries), "{retries}");
    let mut idle = RetryBudget::new(0.2);
    assert_eq!((0..100).filter(|_| idle.take_retry(1_000 * S)).count(), 3, "nothing is saved up");
}

#[test]
fn a_rate_limit_spaces_calls_and_gives_no_place_to_one_that_cannot_wait() {
    let mut limit = RateLimit::new(10.0, 3).unwrap();
    let waits: Vec<_> = (0..5).map(|_| limit.reserve(0, u64::MAX).unwrap() / MS).collect();
    assert_eq!(waits, [0, 0, 0, 100, 200]);
    assert_eq!(limit.reserve(0, 299 * MS), Err(RateExceeded { wait_ns: 300 * MS }));
    assert_eq!(limit.reserve(0, 300 * MS), Ok(300 * MS));
    assert_eq!(limit.reserve(10 * S, 0), Ok(0));
    assert_eq!(RateLimit::new(0.0, 1), None);
}

#[test]
fn an_adaptive_limit_rises_with_success_and_falls_when_calls_time_out() {
    let mut limit = AdaptiveLimit::default();
    let round = |limit: &mut AdaptiveLimit, outcome| {
        (0..limit.limit()).for_each(|_| limit.record(0, outcome, 1_000));
        limit.limit()
    };
    let rounds = [(); 7].map(|()| round(&mut limit, CallOutcome::Succeeded));
    assert_eq!(rounds, [40, 80, 160, 320, 640, 1_000, 1_000], "it doubles at first");
    for _ in 0..10 {
        limit.record(20_000, CallOutcome::TimedOut, 1_000);
    }
    assert_eq!(limit.limit(), 900, "one decrease for many calls at once");
    assert_eq!(round(&mut limit, CallOutcome::Succeeded), 900 + 900 / 64);
    assert_eq!(round(&mut limit, CallOutcome::Failed), 914, "a failure is no sign of too many calls");
    assert_eq!(round(&mut limit, CallOutcome::Slow), 914, "a slow answer is a sign of enough calls");
    (0..100).for_each(|at| limit.record(at * S, CallOutcome::TimedOut, 914));
    assert_eq!(limit.limit(), 20);
    assert_eq!(round(&mut limit, CallOutcome::Succeeded), 21);
    (0..1_000).for_each(|at| limit.record(at, CallOutcome::Succeeded, 1));
    assert_eq!(limit.limit(), 21, "a limit that is not used does not rise");
    let answered = [(false, 75), (false, 76), (true, 10)]
        .map(|(is_failure, took)| CallOutcome::answered(is_failure, took, 100));
    assert_eq!(answered, [CallOutcome::Succeeded, CallOutcome::Slow, CallOutcome::Failed]);
}

proptest! {
    #[test]
    fn there_is_never_more_than_one_probe(
        actions in vec((0..4u8, 0..2 * S, any::<bool>()), 0..400), seed in any::<u64>(),
    ) {
        let mut breaker = Breaker::new(BreakerSettings { open_max_ns: 30 * S, ..impatient() }, seed);
        let (mut now_ns, mut in_flight) = (0, Vec::<(BreakerPass, u64)>::new());
        for (action, wait_ns, is_failure) in actions {
            now_ns += wait_ns;
            match action {
                0 | 1 => in_flight.extend(breaker.request(now_ns).ok().map(|pass| (pass, now_ns))),
                2 if !in_flight.is_empty() => {
                    let (pass, _) = in_flight.swap_remove(wait_ns as usize % in_flight.len());
                    breaker.record(pass, is_failure, now_ns);
                }
                3 => in_flight.pop().into_iter().for_each(|(pass, _)| breaker.abandon(pass)),
                _ => {}
            }
            let is_probe = |(pass, since_ns): &&(BreakerPass, u64)| {
                pass.is_probe && pass.generation_is(&breaker) && now_ns - since_ns < 30 * S
            };
            prop_assert!(in_flight.iter().filter(is_probe).count() <= 1);
            if let BreakerState::Open { until_ns } = breaker.state() {
                prop_assert!(until_ns <= now_ns + 30 * S);
            }
        }
    }

    #[test]
    fn retries_never_exceed_the_budget_of_any_second(
        actions in vec((0..50 * MS, any::<bool>(), 0..4u64), 0..600), share in 0.0..1.0f64,
    ) {
        let mut budget = RetryBudget::new(share);
        let (mut now_ns, mut calls, mut retries) = (0, 0u64, Vec::new());
        for (wait_ns, is_retry, count) in actions {
            now_ns += wait_ns;
            if !is_retry {
                budget.record_calls(count, now_ns);
                calls += count;
            } else if budget.take_retry(now_ns) {
                retries.push(now_ns);
            }
            // Twice, because what was saved for a second can be used together with what accrues in the next one.
            let recent = retries.iter().filter(|at_ns| now_ns - **at_ns < S).count() as f64;
            prop_assert!(recent <= 2.0 * (3.0 + share * calls as f64 / 10.0) + 1.0);
        }
    }

    #[test]
    fn calls_never_exceed_their_rate(
        waits in vec(0..50 * MS, 1..300), rate in 1.0..1000.0f64, burst in 1..20u32,
    ) {
        let mut limit = RateLimit::new(rate, burst).unwrap();
        let (mut now_ns, mut starts) = (0, Vec::new());
        for wait_ns in waits {
            now_ns += wait_ns;
            starts.extend(limit.reserve(now_ns, u64::MAX).ok().map(|wait_ns| now_ns + wait_ns));
        }
        prop_assert!(starts.is_sorted());
        for (at, from_ns) in starts.iter().enumerate() {
            let count = starts[at..].iter().filter(|start_ns| **start_ns < from_ns + S).count() as f64;
            prop_assert!(count <= rate + f64::from(burst) + 1.0, "{count}");
        }
    }
}
