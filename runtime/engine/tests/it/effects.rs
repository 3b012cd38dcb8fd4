//! How effects compose.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zerver_engine::Decision::Need;
use zerver_engine::EffectErrorKind::{
    Internal, Invalid, Malformed, NoInterpreter, Timeout, TooLarge, Unreachable,
};
use zerver_engine::{
    Call, Decision, Effect, EffectError, EffectErrorKind, EffectKind, Failure, FailureKind, Performed,
    Request, Response, Retry, Slot, all, effect, flow, join_all, step,
};
use zerver_trace::{Outcome, Value};

use crate::driver::{body, events, job_of, run};

/// A table with numbers in it.
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

fn table(call: &Call) -> Performed {
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
fn outputs_are_mapped_and_failures_caught() {
    check!(lookup("k7"), "Some(7)");
    check!(lookup("k7").map(|n| n.map(|n| n + 1)), "Some(8)");
    check!(lookup("k7").or_not_found("number", "k7"), "7");
    check!(
        lookup("x").or_not_found("number", "x"),
        r#"{"error":{"kind":"not_found","what":"number","key":"x"}}"#
    );
    check!(lookup("down"), r#"{"error":{"kind":"unavailable","what":"lookup"}}"#);
    check!(lookup("down").optional(), "None");
    check!(lookup("down").attempt().map(|r| r.map_err(|f| f.to_string())), r#"Err("unavailable lookup")"#);
    check!(
        lookup("k1").try_map(|_| Err::<u64, _>(Failure::conflict("number", 1))),
        r#"{"error":{"kind":"conflict","what":"number","key":"1"}}"#
    );
}

#[test]
fn one_after_another_the_second_depends_on_the_first() {
    // Load the user and then, depending on it, the team.
    let ended = check!(
        lookup("k7").or_not_found("user", 7).and_then(|user| lookup(&format!("k{}", user * 10))),
        "Some(70)"
    );
    assert!(events(&ended).contains("0 gives 7\nstep 0 asks 1: lookup k70"), "{}", events(&ended));
    check!(
        lookup("x").or_not_found("user", "x").and_then(|_| lookup("never")),
        r#"{"error":{"kind":"not_found","what":"user","key":"x"}}"#
    );
}

#[test]
fn at_the_same_time_all_start_before_any_ends() {
    let ended = check!(all((lookup("k1"), lookup("k2"), lookup("x"))), "(Some(1), Some(2), None)");
    let mut order = String::new();
    for line in events(&ended).lines().filter(|line| line.contains("asks") || line.contains("gives")) {
        writeln!(order, "{line}").unwrap();
    }
    insta::assert_snapshot!(order, @r"
    step 0 asks 0: lookup k1
    step 0 asks 1: lookup k2
    step 0 asks 2: lookup x
    2 gives none
    1 gives 2
    0 gives 1
    ");
    check!(join_all((1..4).map(|n| lookup(&format!("k{n}")))), "[Some(1), Some(2), Some(3)]");
    check!(join_all(Vec::<Effect<Option<u64>>>::new()), "[]");
    // The first in order, not in time.
    check!(
        all((lookup("a").or_not_found("a", 1), lookup("b").or_not_found("b", 2))),
        r#"{"error":{"kind":"not_found","what":"a","key":"1"}}"#
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
fn an_effect_shows_what_it_asks_for() {
    assert_eq!(format!("{:?}", lookup("k1")), "Effect(lookup k1)");
    let both = all((lookup("k1"), lookup("k2").optional()));
    assert_eq!(format!("{both:?}"), "Effect(all: lookup k1 lookup k2)");
}

#[test]
fn an_output_is_decoded_from_a_recording() {
    let call = Call::new(Lookup("k1".into()));
    assert!(call.decode(&Value::from_serialize(&Some(4u64)).unwrap()).is_ok());
    let Err(error) = call.decode(&Value::from_serialize(&"text").unwrap()) else {
        panic!("text is no number")
    };
    assert_eq!(error.kind, Malformed);
}

/// A service that fails so many times before it answers, and whose calls say whether they may be repeated.
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

    /// A number of three digits says: later.
    fn is_temporary(output: &u32) -> bool {
        *output > 99
    }
}

fn flaky(name: &str) -> Effect<u32> {
    effect(Flaky { name: name.to_owned(), is_idempotent: true })
}

/// What a request comes to whose first step asks for this effect; each call gets the next of these answers.
macro_rules! again {
    ($effect:expr, $answers:expr) => {{
        #[step]
        fn ask() -> Decision<Got> {
            Need($effect.map(|got| Got(format!("{got:?}"))))
        }
        let mut answers = IntoIterator::into_iter($answers);
        let ended = run(&flow!("f", GET "/", steps: [ask, render]), Request::get("/"), |call| {
            match (call.kind(), answers.next().expect("a call too many")) {
                ("lookup", Ok(_)) => table(call),
                (_, Ok(number)) => Ok(Call::output::<Flaky>(number)),
                (_, Err(kind)) => Err(EffectError::new(kind, "no")),
            }
        });
        assert!(answers.next().is_none(), "a call too few: {}", events(&ended));
        ended
    }};
}

#[test]
fn what_may_succeed_later_is_tried_again() {
    let ended = again!(flaky("a").retry(Retry::attempts(3)), [Err(Timeout), Err(Unreachable), Ok(7)]);
    assert_eq!(body(&ended), "7");
    insta::assert_snapshot!(events(&ended), @r#"
    received
    step 0: need
    step 0 asks 0: flaky a
    0 fails: timeout: no
    step 0 asks 1: flaky a (attempt 2)
    1 fails: unreachable: no
    step 0 asks 2: flaky a (attempt 3)
    2 gives 7
    step 0 wrote 0: "7"
    step 1: done
    "#);
    let check = |ended: &zerver_engine::Ended, expected: &str| assert_eq!(body(ended), expected);
    // Outputs that say so are tried again, too; the last one is the output.
    check(&again!(flaky("a").retry(Retry::attempts(2)), [Ok(503), Ok(504)]), "504");
    // The failure is that of the last attempt, and it has its number.
    let ended = again!(flaky("a").retry(Retry::attempts(2)), [Err(Timeout), Err(Unreachable)]);
    check(&ended, r#"{"error":{"kind":"unavailable","what":"flaky"}}"#);
    assert!(matches!(&ended.outcome, Outcome::Failed(info) if info.call == Some(1)), "{:?}", ended.outcome);
    // A failure that will not pass is final.
    for kind in [Malformed, TooLarge, Invalid, NoInterpreter, Internal] {
        again!(flaky("a").retry(Retry::attempts(3)).optional(), [Err(kind)]);
    }
    again!(flaky("a").retry(Retry::attempts(0)).optional(), [Err(Timeout)]);
}

#[test]
fn what_is_not_idempotent_is_tried_again_only_where_that_is_said() {
    fn order() -> Effect<u32> {
        effect(Flaky { name: "order".to_owned(), is_idempotent: false })
    }
    again!(order().retry(Retry::attempts(3)).optional(), [Err(Timeout)]);
    again!(order().retry(Retry::attempts(3).also_not_idempotent()), [Err(Timeout), Ok(1)]);
}

#[test]
fn which_failures_are_worth_it_can_be_said() {
    fn odd() -> Effect<u32> {
        Effect::performing::<Flaky>(
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
    assert_eq!(body(&again!(odd().retry(conflicts()), [Ok(2), Ok(4), Ok(5)])), "5");
    again!(odd().retry(conflicts()).optional(), [Ok(2), Err(Timeout)]);
    // What is made of an output later is not the call's.
    fn late(_: u32) -> Result<u32, Failure> {
        Err(Failure::conflict("n", 0))
    }
    again!(odd().try_map(late).retry(conflicts()).optional(), [Ok(1)]);
}

#[test]
fn each_call_is_tried_again_by_itself() {
    // The last call that was started is answered first.
    fn both() -> Effect<(u32, u32)> {
        all((flaky("a"), flaky("b"))).retry(Retry::attempts(2))
    }
    let ended = again!(both(), [Ok(1), Err(Timeout), Ok(2)]);
    assert_eq!(body(&ended), "(2, 1)");
    assert!(!events(&ended).contains("flaky b (attempt"), "{}", events(&ended));
    // Nor is what has succeeded asked for again.
    fn one_after_another() -> Effect<u32> {
        lookup("k7").or_not_found("n", 7).and_then(|_| flaky("b")).retry(Retry::attempts(2))
    }
    again!(one_after_another(), [Ok(0), Err(Timeout), Ok(2)]);
    // The inner word counts.
    fn inner() -> Effect<u32> {
        flaky("a").retry(Retry::attempts(1)).and_then(|_| flaky("b")).retry(Retry::attempts(3))
    }
    again!(inner(), [Ok(1), Err(Timeout), Err(Timeout), Ok(2)]);
    again!(inner().optional(), [Err(Timeout)]);
}

#[test]
fn pauses_are_the_same_for_the_same_request() {
    #[step]
    fn ask() -> Decision<Got> {
        Need(flaky("a").retry(Retry::attempts(4)).map(|n| Got(n.to_string())))
    }
    let def = flow!("f", GET "/", steps: [ask, render]);
    let pauses = |seed: u64| {
        let mut job = job_of(&def, seed);
        job.run(0, || 1);
        let attempt = |number| {
            let start = job.take_starts().pop()?;
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

/// The calls that a request starts whose first step asks for this effect, at 1 s, and those after such answers.
macro_rules! starts {
    ($effect:expr, $answers:expr) => {{
        #[step]
        fn ask() -> Decision<Got> {
            Need($effect.map(|got| Got(format!("{got:?}"))))
        }
        let mut job = job_of(&flow!("f", GET "/", steps: [ask, render]), 1);
        job.run(0, || SECOND_NS);
        let mut starts: Vec<_> = job.take_starts().into_iter().collect();
        for (call, at_ns, answer) in $answers {
            let answer: Result<u32, EffectErrorKind> = answer;
            let performed = answer.map(Call::output::<Flaky>).map_err(|kind| EffectError::new(kind, "no"));
            job.complete(call, at_ns, performed);
            starts.extend(job.take_starts());
        }
        let told = |start: &zerver_engine::Start| {
            let until = start.until_ns.map(|ns| Duration::from_nanos(ns));
            format!("{:?} {:?} until {until:?}", start.call, start.call.time_limit())
        };
        starts.iter().map(told).collect::<Vec<_>>()
    }};
}

const SECOND_NS: u64 = 1_000_000_000;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn each_call_of_an_effect_of_any_kind_has_its_time() {
    let told = starts!(all((flaky("a").timeout(ms(50)), flaky("b"))).timeout(ms(80)).map(|ab| ab), []);
    assert_eq!(told, ["flaky a Some(50ms) until None", "flaky b Some(80ms) until None"]);
    // An outer word cannot give more time than an inner one.
    let told = starts!(join_all([flaky("a").timeout(ms(80))]).timeout(ms(50)), []);
    assert_eq!(told, ["flaky a Some(50ms) until None"]);
    // What comes after it is not limited, and each attempt is.
    fn one() -> Effect<u32> {
        flaky("a").retry(Retry::attempts(2)).timeout(ms(50)).and_then(|_| flaky("b"))
    }
    let told = starts!(one(), [(0, 2, Err(Timeout)), (1, 3, Ok(1))]);
    assert_eq!(
        told,
        ["flaky a Some(50ms) until None", "flaky a Some(50ms) until None", "flaky b None until None"]
    );
}

#[test]
fn an_effect_as_a_whole_has_its_deadline() {
    // One after another, at the same time, and what is not part of it.
    fn whole() -> Effect<u32> {
        let two = flaky("a").and_then(|_| all((flaky("b"), flaky("c").deadline(ms(100)))));
        two.deadline(ms(300)).and_then(|_| flaky("d"))
    }
    let told = starts!(
        whole(),
        [(0, SECOND_NS + 100, Ok(1)), (1, SECOND_NS + 200, Ok(1)), (2, SECOND_NS + 300, Ok(1))]
    );
    let expected = [
        "flaky a None until Some(1.3s)",
        "flaky b None until Some(1.3s)",
        "flaky c None until Some(1.1000001s)",
        "flaky d None until None",
    ];
    assert_eq!(told, expected);
    // No attempt begins after it.
    fn again() -> Effect<Option<u32>> {
        flaky("a").retry(Retry::attempts(9).pause(ms(10), ms(10))).deadline(ms(300)).optional()
    }
    let early = SECOND_NS + 100_000_000;
    assert_eq!(starts!(again(), [(0, early, Err(Timeout))]).len(), 2);
    assert_eq!(starts!(again(), [(0, SECOND_NS + 300_000_000, Err(Timeout))]).len(), 1);
}
