//! How effects compose.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use zerver_engine::Decision::Need;
use zerver_engine::{
    Call, Decision, Effect, EffectError, EffectErrorKind, EffectKind, Failure, Performed, Request, Response,
    Slot, all, effect, flow, join_all, step,
};
use zerver_trace::Value;

use crate::driver::{body, events, run};

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
        "down" => Err(EffectError::new(EffectErrorKind::Unreachable, "connection refused")),
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
    assert!(call.decode(&Value::of(&Some(4u64)).unwrap()).is_ok());
    let Err(error) = call.decode(&Value::of(&"text").unwrap()) else { panic!("text is no number") };
    assert_eq!(error.kind, EffectErrorKind::Malformed);
}
