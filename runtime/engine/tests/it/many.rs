//! Effects of one request by the hundred thousand: each costs the same, however they are put together. What is quadratic
//! does not come to an end here, and what recurses overflows the stack.

use serde::{Deserialize, Serialize};
use zerver_engine::Decision::Need;
use zerver_engine::{
    Call, Decision, Effect, EffectKind, Job, Next, Performed, Request, Response, Retry, Slot, Stop, all,
    effect, flow, join_all, step,
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

fn answer(call: &Call) -> Performed {
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
fn at_the_same_time() {
    check!(join_all((0..MANY).map(double)).map(sum_of), MANY * (MANY - 1));
    // Groups of groups, and parts that go on by themselves.
    fn nested() -> Effect<u64> {
        let part = |n: u64| all((double(n).and_then(double), double(n))).map(|(a, b)| a + b);
        let group = |n: u64| join_all((0..100).map(move |m| part(100 * n + m))).map(sum_of);
        join_all((0..MANY / 100).map(group)).map(sum_of)
    }
    check!(nested(), 6 * MANY * (MANY - 1) / 2);
    check!(join_all((0..MANY).map(Effect::ready)).map(sum_of), MANY * (MANY - 1) / 2);
}

#[test]
fn one_after_another() {
    /// The rest is known from the start.
    fn chained() -> Effect<u64> {
        (0..MANY).fold(double(0), |effect, n| effect.and_then(move |_| double(n)))
    }
    check!(chained(), 2 * (MANY - 1));
    /// Each says what comes after it, and something is made of what that gives.
    fn unfolded(n: u64) -> Effect<u64> {
        match n {
            0 => double(0),
            n => double(n).and_then(move |_| unfolded(n - 1)).map(|so_far| so_far + 1),
        }
    }
    check!(unfolded(MANY), MANY);
    /// Nothing of it asks for anything.
    fn mapped() -> Effect<u64> {
        (0..MANY).fold(Effect::ready(0), |effect, _| effect.map(|n| n + 1))
    }
    check!(mapped(), MANY);
}

/// One within another, by all words there are.
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
fn one_within_another() {
    check!(deep(), 2);
    assert!(format!("{:?}", deep()).len() < 1000);
    // Unperformed, and half-way.
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
    job.stop(Stop::Gone, 2);
    drop(job.finish());
}

/// How often it stops on its way to look at the clock.
fn looks(job: &mut Job, mut next: Next) -> u64 {
    let mut looks = 0;
    while next == Next::Advance {
        looks += 1;
        next = job.advance(looks);
    }
    looks
}

#[test]
fn whoever_drives_it_comes_to_look_at_the_clock() {
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
    // What it has begun is there to be started meanwhile.
    assert!((1..10_000).contains(&job.take_starts().len()));
    assert!(looks(&mut job, next) >= 10, "while it begins");
    for call in 0..10_000 {
        assert!(job.waits_for(call));
        let next = job.complete(call, 20_000, Ok(Call::output::<Double>(0)));
        assert!(call == 9_999 || next == Next::Wait);
    }
    job.take_starts();
    let next = job.complete(10_000, 20_000, Ok(Call::output::<Double>(0)));
    assert!(looks(&mut job, next) >= 4, "while it makes something of an answer");
    assert_eq!(job.run(1, || 2), Next::Ended);
    assert_eq!(job.finish().response.unwrap().body, "10000");
}
