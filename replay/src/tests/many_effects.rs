//! Recordings with many effects. A quadratic algorithm would take minutes for these.

use zerver_trace::{Answer, Event};

use super::*;
use crate::run::recorded_answers::RecordedAnswers;

const EFFECTS: u64 = 100_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Query {
    text: String,
    id: u64,
}

impl EffectKind for Query {
    const KIND: &'static str = "query";
    type Output = u64;

    fn identity(&self) -> Option<Value> {
        Value::from_serialize(&self.id).ok()
    }
}

fn query(text: &str, id: u64) -> Query {
    Query { text: text.to_owned(), id }
}

fn args(query: &Query) -> Value {
    Value::from_serialize(query).unwrap()
}

/// A recording in which one step requested all these effects.
fn recorded_queries() -> Trace {
    let mut trace = recorded(4);
    let plain = |value: Value| Recorded::Plain { value, summary: None };
    let first_run = trace.events.iter().position(|event| matches!(event, Event::StepRan { .. })).unwrap();
    trace.events.truncate(first_run + 1);
    for call in 0..EFFECTS as u32 {
        trace.events.push(Event::EffectRequested {
            call,
            step: 0,
            at_ns: 0,
            kind: "query".into(),
            args: plain(args(&query("then", call.into()))),
            attempt: 1,
            timeout_ns: None,
        });
        let answer = Answer::Ok(plain(Value::from_serialize(&call).unwrap()));
        trace.events.push(Event::EffectCompleted { call, at_ns: 1, answer });
    }
    trace
}

#[test]
fn answers_are_found_in_linear_time() {
    let (trace, secrets) = (recorded_queries(), Secrets::default());
    let observed = Observed::of_trace(&trace);
    let mut answers = RecordedAnswers::new(&observed, &secrets);
    for id in (0..EFFECTS).rev() {
        let known = answers.take("query", &args(&query("then", id))).unwrap();
        assert_eq!(u64::from(known.number), id);
    }
    assert!(answers.take("query", &args(&query("then", 0))).is_none());
}

#[test]
fn answers_of_reworded_calls_are_found_in_linear_time() {
    let (trace, secrets) = (recorded_queries(), Secrets::default());
    let observed = Observed::of_trace(&trace);
    let mut answers = RecordedAnswers::new(&observed, &secrets);
    for id in (0..EFFECTS).rev() {
        let call = Call::new(query("now", id));
        let known = answers.take_reworded(&call, "parse", 0, id as usize).unwrap();
        assert_eq!(u64::from(known.number), id);
        assert!(answers.take("query", &args(&query("then", id))).is_none());
    }
}

/// Requests one effect after the other, up to the largest number of events in a recording.
fn in_sequence(n: u64) -> Effect<u64> {
    effect(Echo(n)).and_then(move |output| match n + 1 {
        4_000.. => Effect::ready(output),
        next => in_sequence(next),
    })
}

#[step]
fn echoes() -> Decision<Sum> {
    Need(in_sequence(0).map(|of| Sum { of, sort: None }))
}

#[step]
fn respond(sum: &Sum) -> Response {
    Response::json(&sum.of)
}

#[test]
fn many_effects_are_reproduced() {
    let def = flow!("many", GET "/", steps: [echoes, respond]);
    let trace = record(&def, Request::get("/"), false, usize::MAX);
    let report = again(trace, &def, &Edits::default()).unwrap();
    assert_eq!(summary(&report), "same: 2 of 2, 4000 replayed, 0 unanswered");
}
