//! Composition of effects: mapping, sequences, groups, retries and time limits.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zerver_engine::Decision::Need;
use zerver_engine::EffectErrorKind::{
    Internal, Invalid, Malformed, NoInterpreter, Timeout, TooLarge, Unreachable,
};
use zerver_engine::{
    Call, CallResult, Decision, Effect, EffectError, EffectErrorKind, EffectKind, Failure, FailureKind,
    Request, Response, Retry, Slot, all, effect, flow, join_all, step,
};
use zerver_trace::{Outcome, Value};

use crate::driver::{body, events, run, seeded_job};

/// Looks up a number in a table.
#[derive(Debug, Serialize, Deserialize)]
struct Lookup(String);

impl EffectKind for Lookup {
    const KIND: &'static str = "lookup";
    type Output = Option<u64>;

    fn summary(&self) -> String {
        self.0.clone()
    }
}

fn lookup(key: &str) -> Effect<Option<u64>> {
    effect(Lookup(key.to_owned()))
}

fn table(call: &Call) -> CallResult {
    match call.args::<Lookup>().unwrap().0.as_str() {
        "down" => Err(EffectError::new(Unreachable, "connection refused")),
        key => Ok(Call::output::<Lookup>(key.strip_prefix("k").and_then(|n| n.parse().ok()))),
    }
}

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Got(String);

#[step]
fn render(got: &Got) -> Response {
    Response::text(got.0.clone())
}

macro_rules! check {
    ($effect:expr, $body:expr) => {{
        #[step]
        fn ask() -> Decision<Got> {
            Need($effect.map(|got| Got(format!("{got:?}"))))
        }
        let ended = run(&flow!("f", GET "/", steps: [ask, render]), Request::get("/"), table);
        assert_eq!(body(&ended), $body, "{}", events(&ended));
        ended
    }};
}

#[test]
fn outputs_can_be_mapped_and_failures_caught() {
    check!(lookup("k7"), "Some(7)");
    check!(lookup("k7").map(|n| n.map(|n| n + 1)), "Some(8)");
    check!(lookup("k7").or_not_found("number", "k7"), "7");
    check!(
        lookup("x").or_not_found("number", "x"),
        r#"{"type":"about:blank","title":"Not Found","status":404,"kind":"not_found","what":"number","key":"x"}"#
    );
    check!(
        lookup("down"),
        r#"{"type":"about:blank","title":"Service Unavailable","status":503,"kind":"unavailable","what":"lookup"}"#
    );
    check!(lookup("down").optional(), "None");
    check!(lookup("down").attempt().map(|r| r.map_err(|f| f.to_string())), r#"Err("unavailable lookup")"#);
    check!(
        lookup("k1").try_map(|_| Err::<u64, _>(Failure::conflict("number", 1))),
        r#"{"type":"about:blank","title":"Conflict","status":409,"kind":"conflict","what":"number","key":"1"}"#
    );
}

#[test]
fn the_second_effect_of_a_sequence_can_depend_on_the_first() {
    // Loads a user and then the team of that user.
    let ended = check!(
        lookup("k7").or_not_found("user", 7).and_then(|user| lookup(&format!("k{}", user * 10))),
        "Some(70)"
    );
    assert!(events(&ended).contains("0 returns 7\nstep 0 requests 1: lookup k70"), "{}", events(&ended));
    check!(
        lookup("x").or_not_found("user", "x").and_then(|_| lookup("never")),
        r#"{"type":"about:blank","title":"Not Found","status":404,"kind":"not_found","what":"user","key":"x"}"#
    );
}

#[test]
fn all_effects_of_a_group_start_before_any_of_them_ends() {
    let ended = check!(all((lookup("k1"), lookup("k2"), lookup("x"))), "(Some(1), Some(2), None)");
    let mut order = String::new();
    for line in events(&ended).lines().filter(|line| line.contains("requests") || line.contains("returns")) {
        writeln!(order, "{line}").unwrap();
    }
    insta::assert_snapshot!(order, @r"
    step 0 requests 0: lookup k1
    step 0 requests 1: lookup k2
    step 0 requests 2: lookup x
    2 returns none
    1 returns 2
    0 returns 1
    ");
    check!(join_all((1..4).map(|n| lookup(&format!("k{n}")))), "[Some(1), Some(2), Some(3)]");
    check!(join_all(Vec::<Effect<Option<u64>>>::new()), "[]");
    // The first failure in order counts, not the first in time.
    check!(
        all((lookup("a").or_not_found("a", 1), lookup("b").or_not_found("b", 2))),
        r#"{"type":"about:blank","title":"Not Found","status":404,"kind":"not_found","what":"a","key":"1"}"#
    );
    check!(
        all((
            lookup("k1").or_not_found("n", 1).and_then(|n| lookup(&format!("k{}", n + 1))),
            all((lookup("k3"), lookup("down").optional())),
        )),
        "(Some(2), (Some(3), None))"
    );
}

#[test]
fn debug_output_of_an_effect_names_its_calls() {
    assert_eq!(format!("{:?}", lookup("k1")), "Effect(lookup k1)");
    let both = all((lookup("k1"), lookup("k2").optional()));
    assert_eq!(format!("{both:?}"), "Effect(all: lookup k1 lookup k2)");
}

#[test]
fn an_output_can_be_decoded_from_a_recording() {
    let call = Call::new(Lookup("k1".into()));
    assert!(call.decode_output(&Value::from_serialize(&Some(4u64)).unwrap()).is_ok());
    let Err(error) = call.decode_output(&Value::from_serialize(&"text").unwrap()) else {
        panic!("a text was decoded as a number")
    };
    assert_eq!(error.kind, Malformed);
}

/// A call to a service that may fail; the test sets whether it is idempotent.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Flaky {
    name: String,
    is_idempotent: bool,
}

impl EffectKind for Flaky {
    const KIND: &'static str = "flaky";
    type Output = u32;

    fn summary(&self) -> String {
        self.name.clone()
    }

    fn is_idempotent(&self) -> bool {
        self.is_idempotent
    }

    /// Numbers of three digits stand for temporary errors.
    fn is_temporary(output: &u32) -> bool {
        *output > 99
    }
}

fn flaky(name: &str) -> Effect<u32> {
    effect(Flaky { name: name.to_owned(), is_idempotent: true })
}

/// Runs a request whose first step needs this effect. Each call gets the next of these answers.
macro_rules! run_with_answers {
    ($effect:expr, $answers:expr) => {{
        #[step]
        fn ask() -> Decision<Got> {
            Need($effect.map(|got| Got(format!("{got:?}"))))
        }
        let mut answers = IntoIterator::into_iter($answers);
        let ended = run(&flow!("f", GET "/", steps: [ask, render]), Request::get("/"), |call| {
            match (call.kind(), answers.next().expect("one call too many")) {
                ("lookup", Ok(_)) => table(call),
                (_, Ok(number)) => Ok(Call::output::<Flaky>(number)),
                (_, Err(kind)) => Err(EffectError::new(kind, "no")),
            }
        });
        assert!(answers.next().is_none(), "one call too few: {}", events(&ended));
        ended
    }};
}

#[test]
fn a_temporary_error_is_retried() {
    let ended =
        run_with_answers!(flaky("a").retry(Retry::attempts(3)), [Err(Timeout), Err(Unreachable), Ok(7)]);
    assert_eq!(body(&ended), "7");
    insta::assert_snapshot!(events(&ended), @r#"
    received
    step 0: need
    step 0 requests 0: flaky a
    0 fails: timeout: no
    step 0 requests 1: flaky a (attempt 2)
    1 fails: unreachable: no
    step 0 requests 2: flaky a (attempt 3)
    2 returns 7
    step 0 wrote 0: "7"
    step 1: done
    "#);
    let check = |ended: &zerver_engine::FinishedJob, expected: &str| assert_eq!(body(ended), expected);
    // Temporary outputs are retried too. The last one is the output of the effect.
    check(&run_with_answers!(flaky("a").retry(Retry::attempts(2)), [Ok(503), Ok(504)]), "504");
    // The failure is that of the last attempt, with the number of its call.
    let ended = run_with_answers!(flaky("a").retry(Retry::attempts(2)), [Err(Timeout), Err(Unreachable)]);
    check(
        &ended,
        r#"{"type":"about:blank","title":"Service Unavailable","status":503,"kind":"unavailable","what":"flaky"}"#,
    );
    assert!(matches!(&ended.outcome, Outcome::Failed(info) if info.call == Some(1)), "{:?}", ended.outcome);
    // Permanent errors are not retried.
    for kind in [Malformed, TooLarge, Invalid, NoInterpreter, Internal] {
        run_with_answers!(flaky("a").retry(Retry::attempts(3)).optional(), [Err(kind)]);
    }
    run_with_answers!(flaky("a").retry(Retry::attempts(0)).optional(), [Err(Timeout)]);
}

#[test]
fn a_call_that_is_not_idempotent_is_retried_only_if_allowed() {
    fn order() -> Effect<u32> {
        effect(Flaky { name: "order".to_owned(), is_idempotent: false })
    }
    run_with_answers!(order().retry(Retry::attempts(3)).optional(), [Err(Timeout)]);
    run_with_answers!(order().retry(Retry::attempts(3).even_if_not_idempotent()), [Err(Timeout), Ok(1)]);
}

#[test]
fn a_predicate_selects_the_failures_to_retry() {
    fn odd() -> Effect<u32> {
        Effect::from_call::<Flaky>(
            Call::new(Flaky { name: "odd".to_owned(), is_idempotent: true }),
            |output| match output {
                Ok(n) if n % 2 == 0 => Err(Failure::conflict("number", n)),
                Ok(n) => Ok(*n),
                Err(error) => Err(Failure::from_effect("flaky", &error)),
            },
        )
    }
    fn conflicts() -> Retry {
        Retry::attempts(5).when(|failure| failure.kind() == FailureKind::Conflict)
    }
    assert_eq!(body(&run_with_answers!(odd().retry(conflicts()), [Ok(2), Ok(4), Ok(5)])), "5");
    run_with_answers!(odd().retry(conflicts()).optional(), [Ok(2), Err(Timeout)]);
    // A failure that is made from the output afterwards does not belong to the call.
    fn late(_: u32) -> Result<u32, Failure> {
        Err(Failure::conflict("n", 0))
    }
    run_with_answers!(odd().try_map(late).retry(conflicts()).optional(), [Ok(1)]);
}

#[test]
fn each_call_is_retried_independently() {
    // The latest call is answered first.
    fn both() -> Effect<(u32, u32)> {
        all((flaky("a"), flaky("b"))).retry(Retry::attempts(2))
    }
    let ended = run_with_answers!(both(), [Ok(1), Err(Timeout), Ok(2)]);
    assert_eq!(body(&ended), "(2, 1)");
    assert!(!events(&ended).contains("flaky b (attempt"), "{}", events(&ended));
    // A call that has succeeded is not repeated.
    fn one_after_another() -> Effect<u32> {
        lookup("k7").or_not_found("n", 7).and_then(|_| flaky("b")).retry(Retry::attempts(2))
    }
    run_with_answers!(one_after_another(), [Ok(0), Err(Timeout), Ok(2)]);
    // The inner `retry` counts.
    fn inner() -> Effect<u32> {
        flaky("a").retry(Retry::attempts(1)).and_then(|_| flaky("b")).retry(Retry::attempts(3))
    }
    run_with_answers!(inner(), [Ok(1), Err(Timeout), Err(Timeout), Ok(2)]);
    run_with_answers!(inner().optional(), [Err(Timeout)]);
}

#[test]
fn the_same_request_has_the_same_pauses() {
    #[step]
    fn ask() -> Decision<Got> {
        Need(flaky("a").retry(Retry::attempts(4)).map(|n| Got(n.to_string())))
    }
    let def = flow!("f", GET "/", steps: [ask, render]);
    let pauses = |seed: u64| {
        let mut job = seeded_job(&def, seed);
        job.run(0, || 1);
        let attempt = |number| {
            let start = job.take_requested_calls().pop()?;
            assert_eq!((start.number, u32::from(start.attempt)), (number, number + 1));
            job.complete(number, 2, Err(EffectError::new(Timeout, "no")));
            Some(start.pause)
        };
        (0..5).map_while(attempt).collect::<Vec<_>>()
    };
    let (one, same, other) = (pauses(1), pauses(1), pauses(2));
    assert_eq!((one.len(), one[0]), (4, Duration::ZERO));
    assert!(one == same && one != other && one[1..].iter().any(|pause| !pause.is_zero()), "{one:?}");
}

/// Returns the calls of a request whose first step needs this effect, at 1 s, including those after these answers.
macro_rules! calls {
    ($effect:expr, $answers:expr) => {{
        #[step]
        fn ask() -> Decision<Got> {
            Need($effect.map(|got| Got(format!("{got:?}"))))
        }
        let mut job = seeded_job(&flow!("f", GET "/", steps: [ask, render]), 1);
        job.run(0, || SECOND_NS);
        let mut starts: Vec<_> = job.take_requested_calls().into_iter().collect();
        for (call, at_ns, answer) in $answers {
            let answer: Result<u32, EffectErrorKind> = answer;
            let performed = answer.map(Call::output::<Flaky>).map_err(|kind| EffectError::new(kind, "no"));
            job.complete(call, at_ns, performed);
            starts.extend(job.take_requested_calls());
        }
        let show = |start: &zerver_engine::RequestedCall| {
            let until = start.deadline_ns.map(|ns| Duration::from_nanos(ns));
            format!("{:?} {:?} until {until:?}", start.call, start.call.time_limit())
        };
        starts.iter().map(show).collect::<Vec<_>>()
    }};
}

const SECOND_NS: u64 = 1_000_000_000;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_timeout_limits_each_call_of_an_effect() {
    let calls = calls!(all((flaky("a").timeout(ms(50)), flaky("b"))).timeout(ms(80)).map(|ab| ab), []);
    assert_eq!(calls, ["flaky a Some(50ms) until None", "flaky b Some(80ms) until None"]);
    // The shorter of two timeouts counts.
    let calls = calls!(join_all([flaky("a").timeout(ms(80))]).timeout(ms(50)), []);
    assert_eq!(calls, ["flaky a Some(50ms) until None"]);
    // The timeout applies to each attempt, and not to calls that follow.
    fn one() -> Effect<u32> {
        flaky("a").retry(Retry::attempts(2)).timeout(ms(50)).and_then(|_| flaky("b"))
    }
    let calls = calls!(one(), [(0, 2, Err(Timeout)), (1, 3, Ok(1))]);
    assert_eq!(
        calls,
        ["flaky a Some(50ms) until None", "flaky a Some(50ms) until None", "flaky b None until None"]
    );
}

#[test]
fn a_deadline_limits_an_effect_as_a_whole() {
    // In a sequence and in a group, but not for the call that follows.
    fn whole() -> Effect<u32> {
        let two = flaky("a").and_then(|_| all((flaky("b"), flaky("c").deadline(ms(100)))));
        two.deadline(ms(300)).and_then(|_| flaky("d"))
    }
    let calls = calls!(
        whole(),
        [(0, SECOND_NS + 100, Ok(1)), (1, SECOND_NS + 200, Ok(1)), (2, SECOND_NS + 300, Ok(1))]
    );
    let expected = [
        "flaky a None until Some(1.3s)",
        "flaky b None until Some(1.3s)",
        "flaky c None until Some(1.1000001s)",
        "flaky d None until None",
    ];
    assert_eq!(calls, expected);
    // No attempt starts after the deadline.
    fn again() -> Effect<Option<u32>> {
        flaky("a").retry(Retry::attempts(9).pause(ms(10), ms(10))).deadline(ms(300)).optional()
    }
    let early = SECOND_NS + 100_000_000;
    assert_eq!(calls!(again(), [(0, early, Err(Timeout))]).len(), 2);
    assert_eq!(calls!(again(), [(0, SECOND_NS + 300_000_000, Err(Timeout))]).len(), 1);
}
