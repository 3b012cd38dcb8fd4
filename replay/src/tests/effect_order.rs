//! Composition of effects: which answers a call waits for.

use super::*;

/// Creates a flow whose only step requests this effect.
macro_rules! asking {
    ($name:ident, $plan:expr) => {{
        #[step]
        fn $name() -> Decision<Sum> {
            let plan: Effect<u64> = $plan;
            Need(plan.map(|of| Sum { of, sort: None }))
        }
        flow!("order", GET "/", steps: [$name, tell_sum])
    }};
}

#[step]
fn tell_sum(sum: &Sum) -> Response {
    Response::json(&sum.of)
}

fn echo_of(n: u64) -> Effect<u64> {
    effect(Echo(n))
}

fn recorded(def: &FlowDef, last_first: bool) -> Trace {
    record(def, Request::get("/"), last_first, usize::MAX)
}

fn at_once() -> FlowDef {
    asking!(ask_for, all((echo_of(1), echo_of(2))).map(|(a, b)| a + b))
}

fn in_turn() -> FlowDef {
    asking!(ask_for, echo_of(1).and_then(|a| echo_of(2).map(move |b| a + b)))
}

fn chain(n: u64) -> Effect<u64> {
    echo_of(n).and_then(move |a| echo_of(n + 2).map(move |b| a + b))
}

fn two_in_turn() -> FlowDef {
    asking!(ask_for, all((chain(1), chain(2))).map(|(a, b)| a + b))
}

fn after_both() -> FlowDef {
    asking!(ask_for, all((echo_of(1), echo_of(2))).and_then(|(a, b)| echo_of(3).map(move |c| a + b + c)))
}

fn beside_both() -> FlowDef {
    asking!(ask_for, echo_of(1).and_then(|a| all((echo_of(2), echo_of(3))).map(move |(b, c)| a + b + c)))
}

#[test]
fn the_composition_of_effects_is_compared() {
    let of = |then: FlowDef, now: FlowDef, last_first| {
        summary(&again(recorded(&then, last_first), &now, &Edits::default()).unwrap())
    };
    for last_first in [false, true] {
        assert_eq!(
            of(at_once(), in_turn(), last_first),
            "different: 2 of 2, 2 replayed, 0 unanswered\n\
             reordered_effect ask_for echo 2: requested at once -> requested after the answer of echo 1"
        );
        assert_eq!(
            of(in_turn(), at_once(), last_first),
            "different: 2 of 2, 2 replayed, 0 unanswered\n\
             reordered_effect ask_for echo 2: requested after the answer of echo 1 -> requested at once"
        );
        let report = of(after_both(), beside_both(), last_first);
        assert!(
            report.contains("ask_for echo 2: requested at once -> requested after the answer of echo 1"),
            "{report}"
        );
    }
    let report = of(after_both(), beside_both(), false);
    assert!(
        report
            .contains("echo 3: requested after the answer of echo 2 -> requested after the answer of echo 1"),
        "{report}"
    );
}

#[test]
fn the_order_of_answers_does_not_matter() {
    for def in [at_once(), in_turn(), two_in_turn(), after_both(), beside_both()] {
        for last_first in [false, true] {
            let trace = recorded(&def, last_first);
            assert!(again(trace.clone(), &def, &Edits::default()).unwrap().is_same());
            // Each of them in turn is answered last.
            let calls = Observed::of_trace(&trace).calls().count();
            for call in 0..calls {
                let fault = Fault { effect: call.to_string(), kind: FaultKind::Latency { ns: 1_000_000 } };
                let late = Edits { faults: vec![fault], ..Edits::default() };
                let report = again(trace.clone(), &def, &late).unwrap();
                assert!(report.is_same(), "{call} {last_first}: {}", summary(&report));
            }
        }
    }
}

#[test]
fn a_retry_waits_for_the_attempt_before_it() {
    let tried = || {
        asking!(
            ask_for,
            all((
                echo_of(1).retry(zerver_engine::Retry::attempts(3)).optional().map(Option::unwrap_or_default),
                echo_of(2)
            ))
            .and_then(|(a, b)| echo_of(3).map(move |c| a + b + c))
        )
    };
    let mut tries = 0;
    let trace = record_by(&tried(), Request::get("/"), false, usize::MAX, &mut |call| {
        tries += 1;
        match (tries, call.args::<Echo>().unwrap().0) {
            (1, 1) => Err(zerver_trace::EffectError::new(zerver_trace::EffectErrorKind::Timeout, "late")),
            _ => echo(call),
        }
    });
    assert_eq!(Observed::of_trace(&trace).calls().count(), 4);
    assert!(again(trace.clone(), &tried(), &Edits::default()).unwrap().is_same());
    let failing = |effect: &str| {
        let fault = Fault { effect: effect.into(), kind: FaultKind::Unreachable };
        again(trace.clone(), &tried(), &Edits { faults: vec![fault], ..Edits::default() }).unwrap()
    };
    // A different failure of the first attempt does not change the composition.
    assert!(!summary(&failing("0")).contains("reordered"), "{}", summary(&failing("0")));
}
