//! What becomes of more interactive requests than can be served, and of bursts that are no overload. Virtual time and a
//! seed: the figures are the same each time.

use std::ops::RangeInclusive;

use super::*;

/// Requests of one step of a millisecond, so many per second on average, at random times for so many seconds.
fn poisson(seed: u64, per_second: f64, seconds: u64) -> Vec<Load> {
    let (mut random, mut at_ns, mut load) = (seed, 0.0, Vec::new());
    loop {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let uniform = ((random >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
        at_ns -= uniform.ln() / per_second * 1e9;
        if at_ns >= seconds as f64 * 1e9 {
            return load;
        }
        load.push(one(at_ns as u64, Class::Interactive, 0, MS));
    }
}

/// What became of a load on one worker, which can serve 1,000 a second.
#[derive(Debug)]
struct Became {
    /// Of those that could have been served at best.
    goodput: f64,
    shed: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// What loads are made of.
const SEEDS: RangeInclusive<u64> = 1..=9;

/// All together over some seeds.
fn became(per_second: f64, seconds: u64) -> Became {
    let (mut took, mut sent) = (Vec::new(), 0);
    let most = per_second.min(1000.0) * (seconds * SEEDS.count() as u64) as f64;
    for seed in SEEDS {
        let load = poisson(0x2545_f491_4f6c_dd1d_u64.wrapping_mul(seed), per_second, seconds);
        let fates = simulate(&machine(1, 1), &load).fates;
        let served = std::iter::zip(&load, &fates).filter(|(_, fate)| fate.shed.is_none());
        took.extend(served.map(|(load, fate)| fate.end_ns - load.at_ns));
        sent += load.len();
    }
    took.sort_unstable();
    let ms = |percent: usize| took[took.len() * percent / 100] as f64 / MS as f64;
    Became {
        goodput: took.len() as f64 / most,
        shed: 1.0 - took.len() as f64 / sent as f64,
        p50_ms: ms(50),
        p99_ms: ms(99),
    }
}

#[test]
fn an_overload_is_answered_quickly_or_sent_away() {
    // Of a second, too: how an overload begins is a part of it.
    for (load, seconds) in [(1500.0, 1), (2000.0, 1), (2000.0, 5), (4000.0, 5)] {
        let became = became(load, seconds);
        let is_good = became.goodput >= 0.98 && became.p99_ms < 10.0 && became.p50_ms < 3.0;
        assert!(is_good, "{load}/s for {seconds} s, seeds {SEEDS:?}: {became:?}");
    }
}

#[test]
fn little_more_than_can_be_served_is_no_reason_to_send_many_away() {
    let became = became(1050.0, 5);
    assert!(became.goodput >= 0.92 && became.shed < 0.13, "seeds {SEEDS:?}: {became:?}");
}

#[test]
fn a_moderate_load_is_served() {
    for (load, shed, p99_ms) in [(300.0, 0.0001, 4.0), (500.0, 0.0005, 6.0), (700.0, 0.005, 12.0)] {
        let became = became(load, 5);
        assert!(became.shed < shed && became.p99_ms < p99_ms, "{load}/s, seeds {SEEDS:?}: {became:?}");
    }
}

#[test]
fn a_burst_is_served_whole() {
    let load: Vec<_> = (0..20).map(|_| one(0, Class::Interactive, 0, MS)).collect();
    let fates = simulate(&machine(1, 1), &load).fates;
    assert!(fates.iter().all(|fate| fate.shed.is_none() && fate.end_ns <= 20 * MS));
}
