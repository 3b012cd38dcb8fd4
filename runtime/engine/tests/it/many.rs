//! A request with a hundred thousand effects. Each effect costs the same, however they are composed: quadratic code
//! would not finish here, and recursive code would overflow the stack.

use serde::{Deserialize, Serialize};
use zerver_engine::Decision::Need;
use zerver_engine::{
    Call, CallResult, Decision, Effect, EffectKind, Job, Next, Request, Response, Retry, Slot, StopReason,
    all, effect, flow, join_all, step,
};

use crate::driver::{body, job, run};

const MANY: u64 = 100_000;

#[derive(Debug, Serialize, Deserialize)]
struct Double(u64);

impl EffectKind for Double {
    const KIND: &'static str = "double";
    type Output = u64;
}

fn double(n: u64) -> Effect<u64> {
    effect(Double(n))
}

fn answer(call: &Call) -> CallResult {
    Ok(Call::output::<Double>(2 * call.args::<Double>().unwrap().0))
}

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Sum(u64);

#[step]
fn render(sum: &Sum) -> Response {
    Response::text(sum.0.to_string())
}

macro_rules! check {
    ($effect:expr, $sum:expr) => {{
        #[step]
        fn ask() -> Decision<Sum> {
            Need($effect.map(Sum))
        }
        let ended = run(&flow!("many", GET "/", steps: [ask, render]), Request::get("/"), answer);
        assert_eq!(body(&ended), ($sum as u64).to_string());
    }};
}

fn sum_of(numbers: Vec<u64>) -> u64 {
    numbers.iter().sum()
}

#[test]
fn many_effects_run_at_the_same_time() {
    check!(join_all((0..MANY).map(double)).map(sum_of), MANY * (MANY - 1));
    // Groups of groups, with members that are sequences.
    fn nested() -> Effect<u64> {
        let part = |n: u64| all((double(n).and_then(double), double(n))).map(|(a, b)| a + b);
        let group = |n: u64| join_all((0..100).map(move |m| part(100 * n + m))).map(sum_of);
        join_all((0..MANY / 100).map(group)).map(sum_of)
    }
    check!(nested(), 6 * MANY * (MANY - 1) / 2);
    check!(join_all((0..MANY).map(Effect::ready)).map(sum_of), MANY * (MANY - 1) / 2);
}

#[test]
fn many_effects_run_one_after_another() {
    /// The whole sequence is known from the start.
    fn chained() -> Effect<u64> {
        (0..MANY).fold(double(0), |effect, n| effect.and_then(move |_| double(n)))
    }
    check!(chained(), 2 * (MANY - 1));
    /// Each effect decides what follows it, and maps its output.
    fn unfolded(n: u64) -> Effect<u64> {
        match n {
            0 => double(0),
            n => double(n).and_then(move |_| unfolded(n - 1)).map(|so_far| so_far + 1),
        }
    }
    check!(unfolded(MANY), MANY);
    /// There is no call in it.
    fn mapped() -> Effect<u64> {
        (0..MANY).fold(Effect::ready(0), |effect, _| effect.map(|n| n + 1))
    }
    check!(mapped(), MANY);
}

/// Nests effects, with every combinator in turn.
fn deep() -> Effect<u64> {
    (0..MANY).fold(double(1), |effect, n| match n % 5 {
        0 => all((effect, Effect::ready(0))).map(|(a, b)| a + b),
        1 => join_all([effect]).map(sum_of),
        2 => effect.retry(Retry::attempts(2)).timeout(std::time::Duration::from_secs(1)),
        3 => effect.attempt().try_map(|output| output),
        _ => Effect::ready(0).and_then(move |_: u64| effect),
    })
}

#[test]
fn deeply_nested_effects_run_and_drop() {
    check!(deep(), 2);
    assert!(format!("{:?}", deep()).len() < 1000);
    // They are dropped before they start, and half-way.
    drop(deep());
    #[step]
    fn ask() -> Decision<Sum> {
        Need(deep().map(Sum))
    }
    let mut job = job(&flow!("many", GET "/", steps: [ask, render]), Request::get("/"));
    let mut next = job.run(0, || 1);
    while next == Next::Advance {
        next = job.advance(1);
    }
    assert_eq!(next, Next::Wait);
    job.stop(StopReason::ClientLeft, 2);
    drop(job.finish());
}

/// Advances a job until it waits or ends, and returns the number of interruptions.
fn interruptions(job: &mut Job, mut next: Next) -> u64 {
    let mut interruptions = 0;
    while next == Next::Advance {
        interruptions += 1;
        next = job.advance(interruptions);
    }
    interruptions
}

#[test]
fn long_effects_are_interrupted_so_that_the_driver_can_check_the_clock() {
    fn count(n: u64) -> Effect<u64> {
        (0..n).fold(double(0), |effect, _| effect.map(|n| n + 1))
    }
    #[step]
    fn ask() -> Decision<Sum> {
        Need(join_all((0..10_000).map(double)).map(sum_of).and_then(|_| count(10_000)).map(Sum))
    }
    let mut job = job(&flow!("many", GET "/", steps: [ask, render]), Request::get("/"));
    let next = job.run(0, || 1);
    assert_eq!(next, Next::Advance);
    // The calls that it has requested so far can already start.
    assert!((1..10_000).contains(&job.take_requested_calls().len()));
    assert!(interruptions(&mut job, next) >= 10, "while it requests calls");
    for call in 0..10_000 {
        assert!(job.is_waiting_for(call));
        let next = job.complete(call, 20_000, Ok(Call::output::<Double>(0)));
        assert!(call == 9_999 || next == Next::Wait);
    }
    job.take_requested_calls();
    let next = job.complete(10_000, 20_000, Ok(Call::output::<Double>(0)));
    assert!(interruptions(&mut job, next) >= 4, "while it maps an output");
    assert_eq!(job.run(1, || 2), Next::Ended);
    assert_eq!(job.finish().response.unwrap().body, "10000");
}
