//! Cost of a cached value that is found, next to a read of `kv`: the whole effect, without the step that returns it.

use std::hint::black_box;
use std::time::Instant;

use zerver::effects::cache::{cached, cached_shared};
use zerver::effects::{EffectContext, Interpreters, Started, kv};
use zerver::engine::{Random, StandaloneEffect};
use zerver::prelude::*;

use crate::plan::Plan;
use crate::report::{median, print_line};

/// Keys that take turns, so that they do not all lie in one cache line.
const KEYS: u64 = 1_000;

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    let interpreters = Interpreters::builtin();
    let target = || Effect::ready("a value of a common size".to_owned());
    let read = |key: u64| kv::get::<String>(("item", key)).map(Option::unwrap_or_default);
    let hit = |key: u64| cached(("item", key), 1.hours(), target());
    let shared_hit = |key: u64| cached_shared(("item", key), 1.hours(), target()).map(|value| value.len());
    for key in 0..KEYS {
        perform(&interpreters, kv::put(("item", key), "a value of a common size".to_owned()))?;
        perform(&interpreters, hit(key))?;
    }
    let times = (plan.count as u64 * 100).max(KEYS);
    let mut rounds = Vec::with_capacity(plan.rounds);
    for _ in 0..plan.rounds {
        rounds.push([
            nanos(&interpreters, times, read)?,
            nanos(&interpreters, times, hit)?,
            nanos(&interpreters, times, shared_hit)?,
        ]);
    }
    let of = |at: usize| median(rounds.iter().map(|round: &[f64; 3]| round[at]));
    let read = of(0);
    print_line("effect                              ns   ratio");
    for (at, name) in
        ["kv::get, the key has a value", "cached, a hit", "cached_shared, a hit"].iter().enumerate()
    {
        print_line(&format!("{name:<30} {:>7.0} {:>7.2}", of(at), of(at) / read));
    }
    Ok(())
}

/// Returns the nanoseconds of each of many effects.
fn nanos<T>(
    interpreters: &Interpreters,
    times: u64,
    effect: impl Fn(u64) -> Effect<T>,
) -> Result<f64, String> {
    let began = Instant::now();
    for number in 0..times {
        black_box(perform(interpreters, effect(number % KEYS))?);
    }
    Ok(began.elapsed().as_nanos() as f64 / times as f64)
}

/// Performs an effect whose calls are all answered at once.
fn perform<T>(interpreters: &Interpreters, effect: Effect<T>) -> Result<T, String> {
    let context = EffectContext::default();
    let mut effect = StandaloneEffect::new(effect, Random { seed: 0 });
    let mut completed = None;
    loop {
        if let Some(output) = effect.advance(completed.take(), 0) {
            return output.map_err(|failure| failure.to_string());
        }
        let calls = effect.take_requested_calls();
        let [call] = calls.as_slice() else { return Err("not exactly one call".to_owned()) };
        match interpreters.start(&call.call, &context) {
            Started::Ready(result) => completed = Some((call.number, result)),
            Started::Pending(_) => return Err("the effect has to wait".to_owned()),
        }
    }
}
