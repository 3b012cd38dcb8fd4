//! The worth of a target's policy: a target at 50 % errors and ten times its latency, for a minute.

use super::*;
use crate::TargetPolicy;

const S: u64 = 1_000 * MS;

/// Fifty clients make 250 calls per second to a target that can take 3,200, and 320 while it is slow.
fn setup(policy: TargetPolicy, has_budget: bool, seed: u64) -> BrownOut {
    BrownOut {
        clients: 50,
        period_ns: 200 * MS,
        timeout_ns: 500 * MS,
        places: 32,
        latency_ns: 10 * MS,
        from_ns: 20 * S,
        to_ns: 80 * S,
        slowdown: 10,
        failing: 500,
        end_ns: 120 * S,
        policy,
        has_budget,
        seed,
    }
}

fn retrying() -> TargetPolicy {
    TargetPolicy { attempts: 3, ..TargetPolicy::default() }
}

fn without_breaker() -> TargetPolicy {
    TargetPolicy { failures: 0, failure_rate: 0.0, ..retrying() }
}

/// Load and goodput during the brown-out, and the time that the recovery takes.
fn outcome(policy: TargetPolicy, has_budget: bool, seed: u64) -> (f64, f64, usize) {
    let result = simulate_brown_out(&setup(policy, has_budget, seed));
    assert!(result.goodput(0, 20) > 0.999, "the target works before");
    (result.load(20, 80), result.goodput(20, 80), result.recovery_seconds(80))
}

#[test]
fn the_load_on_a_target_in_a_brown_out_is_bounded_and_it_recovers_at_once() {
    for seed in 0..20 {
        let (load, _, recovery) = outcome(retrying(), true, seed);
        assert!(load <= 1.25 && recovery <= 2, "{load} {recovery}");
    }
}

#[test]
fn the_budget_alone_bounds_the_load_and_keeps_half_of_the_calls_working() {
    for seed in 0..20 {
        let (load, goodput, recovery) = outcome(without_breaker(), true, seed);
        assert!(load <= 1.25 && goodput >= 0.5 && recovery <= 2, "{load} {goodput} {recovery}");
    }
}

#[test]
fn without_the_budget_the_same_target_collapses() {
    for seed in 0..20 {
        let (load, goodput, recovery) = outcome(without_breaker(), false, seed);
        assert!(load > 2.0 && goodput < 0.1 && recovery > 5, "{load} {goodput} {recovery}");
    }
}

#[test]
fn the_same_brown_out_ends_the_same_way() {
    let run = || simulate_brown_out(&setup(retrying(), true, 3));
    assert_eq!(run(), run());
}
