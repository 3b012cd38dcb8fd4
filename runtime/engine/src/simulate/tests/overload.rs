//! Overload with interactive requests, and bursts that are not an overload. Virtual time and
//! fixed seeds: every run gives the same numbers.

use std::ops::RangeInclusive;

use super::*;

/// Returns requests of one step of a millisecond at random times, `per_second` on average.
fn poisson(seed: u64, per_second: f64, seconds: u64) -> Vec<SimRequest> {
    let (mut random, mut at_ns, mut workload) = (seed, 0.0, Vec::new());
    loop {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let uniform = ((random >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
        at_ns -= uniform.ln() / per_second * 1e9;
        if at_ns >= seconds as f64 * 1e9 {
            return workload;
        }
        workload.push(one_step(at_ns as u64, Class::Interactive, 0, MS));
    }
}

/// Figures of one worker, which can serve 1,000 requests per second.
#[derive(Debug)]
struct Figures {
    /// Served requests as a fraction of those that could have been served.
    goodput: f64,
    shed: f64,
    p50_ms: f64,
    p99_ms: f64,
}

const SEEDS: RangeInclusive<u64> = 1..=9;

/// Simulates a workload for each seed, and sums up.
fn figures(per_second: f64, seconds: u64) -> Figures {
    let (mut took, mut sent) = (Vec::new(), 0);
    let possible = per_second.min(1000.0) * (seconds * SEEDS.count() as u64) as f64;
    for seed in SEEDS {
        let workload = poisson(0x2545_f491_4f6c_dd1d_u64.wrapping_mul(seed), per_second, seconds);
        let outcomes = simulate(&machine(1, 1), &workload).outcomes;
        let served = std::iter::zip(&workload, &outcomes).filter(|(_, outcome)| outcome.shed.is_none());
        took.extend(served.map(|(request, outcome)| outcome.end_ns - request.arrives_ns));
        sent += workload.len();
    }
    took.sort_unstable();
    let ms = |percent: usize| took[took.len() * percent / 100] as f64 / MS as f64;
    Figures {
        goodput: took.len() as f64 / possible,
        shed: 1.0 - took.len() as f64 / sent as f64,
        p50_ms: ms(50),
        p99_ms: ms(99),
    }
}

#[test]
fn an_overload_is_answered_quickly_or_shed() {
    // Runs of one second too, because the beginning of an overload counts.
    for (per_second, seconds) in [(1500.0, 1), (2000.0, 1), (2000.0, 5), (4000.0, 5)] {
        let figures = figures(per_second, seconds);
        let is_good = figures.goodput >= 0.98 && figures.p99_ms < 10.0 && figures.p50_ms < 3.0;
        assert!(is_good, "{per_second}/s for {seconds} s, seeds {SEEDS:?}: {figures:?}");
    }
}

#[test]
fn a_load_slightly_above_capacity_sheds_little() {
    let figures = figures(1050.0, 5);
    assert!(figures.goodput >= 0.92 && figures.shed < 0.13, "seeds {SEEDS:?}: {figures:?}");
}

#[test]
fn a_moderate_load_is_served() {
    for (per_second, shed, p99_ms) in [(300.0, 0.0001, 4.0), (500.0, 0.0005, 6.0), (700.0, 0.005, 12.0)] {
        let figures = figures(per_second, 5);
        assert!(
            figures.shed < shed && figures.p99_ms < p99_ms,
            "{per_second}/s, seeds {SEEDS:?}: {figures:?}"
        );
    }
}

#[test]
fn a_burst_is_served_completely() {
    let workload: Vec<_> = (0..20).map(|_| one_step(0, Class::Interactive, 0, MS)).collect();
    let outcomes = simulate(&machine(1, 1), &workload).outcomes;
    assert!(outcomes.iter().all(|outcome| outcome.shed.is_none() && outcome.end_ns <= 20 * MS));
}
