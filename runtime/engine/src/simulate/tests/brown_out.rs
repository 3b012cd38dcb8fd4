//! The worth of a target's policy: a target that fails a part of its calls and is ten times slower, for a minute.

use std::time::Duration;

use super::*;
use crate::{Places, TargetPolicy};

const S: u64 = 1_000 * MS;

/// Number of random seeds of each measurement.
const SEEDS: u64 = 5;

/// Fifty clients make 250 calls per second to a target that can take 3,200, and 320 while it is slow.
fn setup(policy: TargetPolicy, seed: u64) -> BrownOut {
    BrownOut {
        clients: 50,
        period_ns: 200 * MS,
        timeout_ns: 500 * MS,
        deadline_ns: 5 * S,
        capacity: 32,
        latency_ns: 10 * MS,
        from_ns: 20 * S,
        to_ns: 80 * S,
        slowdown: 10,
        failing: 500,
        end_ns: 120 * S,
        policy,
        has_budget: true,
        seed,
    }
}

fn retrying() -> TargetPolicy {
    TargetPolicy { attempts: 3, ..TargetPolicy::default() }
}

fn without_breaker() -> TargetPolicy {
    TargetPolicy { failures: 0, failure_rate: 0.0, ..retrying() }
}

/// A breaker that opens at five failures in a row or at half of the calls, and stays open ever longer.
fn sensitive() -> TargetPolicy {
    TargetPolicy {
        failing_for: Duration::ZERO,
        failure_rate: 0.5,
        open_max: Duration::from_secs(30),
        ..retrying()
    }
}

/// Load and goodput during the brown-out, and the seconds that the recovery takes.
#[derive(Debug, Default)]
struct Outcome {
    load: f64,
    goodput: f64,
    recovery: usize,
}

fn outcome(setup: &BrownOut) -> Outcome {
    let result = simulate_brown_out(setup);
    assert!(result.goodput(0, 20) > 0.999, "the target works before");
    Outcome {
        load: result.load(20, 80),
        goodput: result.goodput(20, 80),
        recovery: result.recovery_seconds(80),
    }
}

/// Means of several seeds, and the longest recovery.
fn measure(setup: impl Fn(u64) -> BrownOut) -> Outcome {
    let outcomes: Vec<_> = (0..SEEDS).map(|seed| outcome(&setup(seed))).collect();
    let mean = |part: fn(&Outcome) -> f64| outcomes.iter().map(part).sum::<f64>() / SEEDS as f64;
    let recovery = outcomes.iter().map(|outcome| outcome.recovery).max();
    Outcome { load: mean(|it| it.load), goodput: mean(|it| it.goodput), recovery: recovery.unwrap_or(0) }
}

#[test]
fn the_default_policy_keeps_a_target_in_use_of_which_a_part_works() {
    for (failing, slowdown) in [(300, 10), (500, 1), (500, 10), (700, 10)] {
        let run = |policy: TargetPolicy| {
            measure(|seed| BrownOut { failing, slowdown, ..setup(policy.clone(), seed) })
        };
        let (default, budget) = (run(retrying()), run(without_breaker()));
        assert!(default.goodput >= 0.95 * budget.goodput, "{failing} {default:?} {budget:?}");
        assert!(default.load <= 1.25 && default.recovery <= 2, "{failing} {default:?}");
    }
}

#[test]
fn the_default_policy_cuts_a_dead_target_off_within_two_seconds_and_finds_it_again() {
    for slowdown in [1, 10, 100] {
        for seed in 0..SEEDS {
            let dead = BrownOut { failing: 1_000, slowdown, ..setup(retrying(), seed) };
            let result = simulate_brown_out(&dead);
            // A second without a success, and before that an attempt that takes up to half a second.
            let cut_off: u64 = result.attempts[22..80].iter().sum();
            assert!(cut_off <= 3 * 58, "about one probe per second: {cut_off}");
            assert!(result.load(20, 80) <= 0.05 && result.recovery_seconds(80) <= 2);
        }
    }
}

#[test]
fn without_the_budget_the_same_target_collapses() {
    for seed in 0..SEEDS {
        let collapsed = outcome(&BrownOut { has_budget: false, ..setup(without_breaker(), seed) });
        assert!(collapsed.load > 2.0 && collapsed.goodput < 0.1 && collapsed.recovery > 5, "{collapsed:?}");
    }
}

/// The table of the documentation is what the simulator finds.
#[test]
fn the_documentation_has_the_measurements() {
    let mut table = String::new();
    for (calls, period_ns) in [(250, 200 * MS), (10, 5 * S)] {
        for failing in [100, 300, 500, 700, 900, 1_000] {
            let cell = |policy: &TargetPolicy| {
                let Outcome { load, goodput, recovery } =
                    measure(|seed| BrownOut { failing, period_ns, ..setup(policy.clone(), seed) });
                format!("{load:.2} × / {:.0} % / {recovery} s", goodput * 100.0)
            };
            let [budget, sensitive, default] =
                [without_breaker(), sensitive(), retrying()].map(|it| cell(&it));
            table += &format!("| {calls} | {} % | {budget} | {sensitive} | {default} |\n", failing / 10);
        }
    }
    // The page itself is not in the published crate. Another test compares it with this file.
    assert_eq!(
        table,
        include_str!("brown_out.txt"),
        "brown_out.txt and docs/reference/policies.md need this table"
    );
}

/// A brown-out in which the number of calls in flight matters: the factor by which the target is slower, the thousandths
/// of its calls that fail, and how many times as many clients and as much capacity there are.
const OVERLOADS: [(u64, u64, u32); 6] =
    [(10, 500, 1), (20, 0, 1), (20, 500, 1), (10, 0, 4), (10, 500, 4), (20, 0, 4)];

/// Returns the goodput from the start of the brown-out to 20 seconds after its end.
fn goodput_with(places: Places, (slowdown, failing, size): (u64, u64, u32)) -> f64 {
    let base = setup(TargetPolicy { places, ..without_breaker() }, 1);
    let (clients, capacity) = (base.clients * size, base.capacity * size as usize);
    let setup = BrownOut { slowdown, failing, clients, capacity, end_ns: 100 * S, ..base };
    simulate_brown_out(&setup).goodput(20, 100)
}

#[test]
fn automatic_places_reach_95_percent_of_the_goodput_of_the_best_number() {
    for overload in OVERLOADS {
        let goodput = |places| goodput_with(places, overload);
        let fixed = [20, 32, 48, 64, 96, 128, 192, 256, 384, 1_000];
        let best = fixed.map(|places| goodput(Places::Max(places))).into_iter().fold(0.0, f64::max);
        let auto = goodput(Places::Auto);
        assert!(auto >= 0.95 * best, "{overload:?}: {auto} of {best}");
    }
    // The proof that a limit is needed, and that there is no number for all cases.
    let goodput = |places, overload| goodput_with(places, overload);
    assert!(goodput(Places::Shared, (20, 0, 1)) < 0.4 * goodput(Places::Auto, (20, 0, 1)));
    assert!(goodput(Places::Max(64), (10, 0, 4)) < 0.8 * goodput(Places::Auto, (10, 0, 4)));
}

#[test]
fn the_same_brown_out_ends_the_same_way() {
    let run = || simulate_brown_out(&setup(retrying(), 3));
    assert_eq!(run(), run());
}
