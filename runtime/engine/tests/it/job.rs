//! The job as a state machine: its reaction to each decision and each input.

use std::cell::Cell;

use insta::assert_snapshot;
use serde::{Deserialize, Serialize};
use zerver_engine::Decision::{Continue, Done, Need, Yield};
use zerver_engine::{
    Call, Chain, Decision, Effect, EffectError, EffectErrorKind, EffectKind, Failure, FlowDef, Next, Request,
    Response, Slot, StopReason, chain, effect, flow, step,
};
use zerver_trace::{Event, Outcome, Value};

use crate::driver::{body, drive, events, job, no_effects, run};

#[derive(Debug, Serialize, Deserialize)]
struct Echo(u64);

impl EffectKind for Echo {
    const KIND: &'static str = "echo";
    type Output = u64;
}

pub(crate) fn echo(call: &Call) -> zerver_engine::CallResult {
    Ok(Call::output::<Echo>(call.args::<Echo>().unwrap().0))
}

#[derive(Debug, Clone, PartialEq, Slot, Serialize, Deserialize)]
struct Sum(u64);

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Start(u64);

#[step]
fn parse(request: &Request) -> Result<Start, Failure> {
    request.query_as("n").map(|n| Start(n.unwrap_or(1)))
}

#[step]
fn ask(start: &Start) -> Decision<Sum> {
    match start.0 {
        0 => Continue(Sum(0)),
        n => Need(effect(Echo(n)).map(|n| Sum(n + 1))),
    }
}

#[step]
fn render(sum: &Sum) -> Response {
    Response::text(sum.0.to_string())
}

#[test]
fn a_need_writes_its_output_and_the_next_step_runs() {
    let def = flow!("sum", GET "/", steps: [parse, ask, render]);
    let ended = run(&def, Request::get("/?n=4"), echo);
    assert_eq!(body(&ended), "5");
    assert_snapshot!(events(&ended), @r"
    received
    step 0: continue
    step 0 wrote 1: 4
    step 1: need
    step 1 requests 0: echo 4
    0 returns 4
    step 1 wrote 2: 5
    step 2: done
    ");
    assert_eq!(body(&run(&def, Request::get("/?n=0"), no_effects)), "0");
}

#[test]
fn all_times_come_from_the_driver() {
    let def = flow!("sum", GET "/", steps: [parse, ask, render]);
    let ended = run(&def, Request::get("/"), echo);
    let times: Vec<_> = ended
        .events
        .iter()
        .filter_map(|event| match event {
            Event::StepRan { ready_ns, at_ns, cpu_ns, .. } => Some((*ready_ns, *at_ns, *cpu_ns)),
            _ => None,
        })
        .collect();
    // A step is ready when the step before it ended, or when its effect completed.
    assert_eq!(times, [(0, 1, 1), (2, 3, 1), (5, 6, 1)]);
}

#[test]
fn an_effect_that_fails_fails_the_request() {
    let def = flow!("sum", GET "/", steps: [parse, ask, render]);
    let ended =
        run(&def, Request::get("/"), |_| Err(EffectError::new(EffectErrorKind::Timeout, "after 300 ms")));
    assert_eq!(ended.response.as_ref().unwrap().status, 504);
    let Outcome::Failed(failure) = ended.outcome else { panic!("{:?}", ended.outcome) };
    assert_eq!((failure.step, failure.call), (Some(1), Some(0)));
    assert_eq!(failure.causes, ["timeout: after 300 ms"]);
    assert_eq!(failure.to_string(), "timeout echo");
}

#[test]
fn an_output_of_another_kind_is_an_internal_error() {
    #[derive(Serialize, Deserialize)]
    struct Other;
    impl EffectKind for Other {
        const KIND: &'static str = "other";
        type Output = u64;
    }
    let def = flow!("sum", GET "/", steps: [parse, ask, render]);
    let ended = run(&def, Request::get("/"), |_| Ok(Call::output::<Other>(1)));
    assert_eq!(ended.response.unwrap().status, 500);
}

#[test]
fn a_step_that_yields_gets_its_progress_back() {
    #[step]
    fn count(start: &Start, so_far: Option<(u64, u64)>) -> Decision<Sum, (u64, u64)> {
        match so_far.unwrap_or((0, 0)) {
            (n, sum) if n == start.0 => Continue(Sum(sum)),
            (n, sum) => Yield((n + 1, sum + n + 1)),
        }
    }
    let def = flow!("count", GET "/", steps: [parse, count, render]);
    let ended = run(&def, Request::get("/?n=2"), no_effects);
    assert_eq!(body(&ended), "3");
    assert_snapshot!(events(&ended), @r"
    received
    step 0: continue
    step 0 wrote 1: 2
    step 1: yield
    step 1 yields [1, 1]
    step 1: yield
    step 1 yields [2, 3]
    step 1: continue
    step 1 wrote 2: 3
    step 2: done
    ");
}

#[test]
fn a_panic_ends_only_its_own_request() {
    #[step]
    fn divide(start: &Start) -> Sum {
        Sum(100 / start.0)
    }
    let def = flow!("divide", GET "/", steps: [parse, divide, render]);
    let ended = run(&def, Request::get("/?n=0"), no_effects);
    assert_eq!(ended.response.as_ref().unwrap().status, 500);
    assert!(!body(&ended).contains("divide"), "the response must not reveal internals: {}", body(&ended));
    assert_eq!(ended.outcome, Outcome::Panicked { step: 1, message: "attempt to divide by zero".into() });
    assert_eq!(body(&run(&def, Request::get("/?n=50"), no_effects)), "2");
}

#[test]
fn a_panic_while_an_output_is_mapped_counts_as_a_panic_of_the_step() {
    #[step]
    fn ask(start: &Start) -> Decision<Sum> {
        let n = start.0;
        Need(effect(Echo(n)).map(|_| -> Sum { panic!("while mapping") }))
    }
    let def = flow!("panic", GET "/", steps: [parse, ask, render]);
    let ended = run(&def, Request::get("/"), echo);
    assert_eq!(ended.outcome, Outcome::Panicked { step: 1, message: "while mapping".into() });
}

#[test]
fn a_flow_that_ends_without_a_response_fails() {
    #[step]
    fn maybe(start: &Start) -> Decision<()> {
        if start.0 > 0 { Done(Response::no_content()) } else { Continue(()) }
    }
    // `flow!` would reject it.
    const STEPS: &[Chain] = &[chain![parse, maybe]];
    let def = FlowDef::new("maybe", "GET", "/", STEPS);
    assert_eq!(run(&def, Request::get("/"), no_effects).response.unwrap().status, 204);
    let ended = run(&def, Request::get("/?n=0"), no_effects);
    assert_eq!(ended.response.as_ref().unwrap().status, 500);
    assert!(body(&ended).contains("did not respond"), "{}", body(&ended));
}

#[test]
fn effects_in_flight_are_canceled_when_a_job_is_stopped() {
    let def = flow!("sum", GET "/", steps: [parse, ask, render]);
    let wait = || {
        let mut job = job(&def, Request::get("/"));
        assert_eq!(job.run(0, || 1), Next::Run);
        assert_eq!(job.run(1, || 2), Next::Wait);
        assert_eq!(job.run(2, || 3), Next::Wait, "no step runs while it waits");
        job
    };
    let mut gone = wait();
    gone.stop(StopReason::ClientLeft, 3);
    // A completion that comes too late is ignored.
    assert!(!gone.is_waiting_for(0), "the job has ended");
    assert_eq!(gone.complete(0, 4, Ok(Call::output::<Echo>(1))), Next::Ended);
    let ended = gone.finish();
    assert_eq!(ended.outcome, Outcome::ClientLeft { step: 1 });
    assert!(ended.response.is_none());
    assert!(events(&ended).ends_with("0 is canceled"), "{}", events(&ended));

    let mut late = wait();
    late.stop(StopReason::DeadlinePassed, 3);
    let ended = late.finish();
    assert_eq!(ended.outcome, Outcome::TimedOut { step: 1 });
    assert_eq!(ended.response.unwrap().status, 504);

    assert_eq!(wait().finish().outcome, Outcome::ClientLeft { step: 1 });
}

#[test]
fn the_completion_of_an_unknown_call_is_ignored() {
    let def = flow!("sum", GET "/", steps: [parse, ask, render]);
    let mut job = job(&def, Request::get("/"));
    assert_eq!(job.complete(5, 0, Ok(Call::output::<Echo>(1))), Next::Run);
    let calls = Cell::new(0);
    let ended = drive(job, |call| {
        calls.set(calls.get() + 1);
        echo(call)
    });
    assert_eq!((body(&ended), calls.get()), ("2", 1));
}

#[test]
fn events_beyond_the_limit_are_counted() {
    #[step]
    fn spin(so_far: Option<u32>) -> Decision<Sum, u32> {
        match so_far.unwrap_or(0) {
            20_000 => Continue(Sum(1)),
            n => Yield(n + 1),
        }
    }
    let def = flow!("spin", GET "/", steps: [spin, render]);
    let ended = run(&def, Request::get("/"), no_effects);
    assert_eq!(body(&ended), "1");
    assert_eq!(ended.events.len(), 10_000);
    // Two events for each yield, two for the step that writes, one for the step that responds, one for the body.
    assert_eq!(ended.events_dropped, 2 * 20_000 + 3 + 1 - 10_000);
}

#[test]
fn an_effect_can_succeed_or_fail_without_a_call() {
    #[step]
    fn ready(start: &Start) -> Decision<Sum> {
        match start.0 {
            1 => Need(Effect::ready(Sum(9))),
            n => Need(Effect::fail(Failure::not_found("sum", n))),
        }
    }
    let def = flow!("ready", GET "/", steps: [parse, ready, render]);
    assert_eq!(body(&run(&def, Request::get("/"), no_effects)), "9");
    assert_eq!(run(&def, Request::get("/?n=2"), no_effects).response.unwrap().status, 404);
}

#[test]
fn a_slot_can_be_overridden_with_another_value_of_its_type() {
    let mut job = job(&flow!("sum", GET "/", steps: [parse, ask, render]), Request::get("/?n=0"));
    let flow = std::sync::Arc::clone(job.flow());
    let of = |value: &str| Value::from_serialize(&value.parse::<u64>().unwrap()).unwrap();
    assert!(job.slot(2).is_none());
    assert_eq!((job.run(1, || 2), job.run(3, || 4)), (Next::Run, Next::Run));
    job.override_slot(2, flow.decode_slot(2, &of("7")).unwrap().unwrap());
    // A slot that does not exist is ignored.
    job.override_slot(9, flow.decode_slot(2, &of("8")).unwrap().unwrap());
    assert!(flow.decode_slot(2, &Value::from_serialize("x").unwrap()).unwrap().is_err());
    assert!(flow.decode_slot(0, &of("7")).is_none(), "no step writes the request");
    job.run(5, || 6);
    assert_eq!(body(&job.finish()), "7");
}

#[test]
fn a_twin_continues_where_its_job_is_and_does_the_same() {
    let def = flow!("sum", GET "/", steps: [parse, ask, render]);
    let mut first = job(&def, Request::get("/?n=4"));
    assert_eq!(first.run(1, || 1), Next::Run);
    let mut twin = first.twin().unwrap();
    assert_eq!((twin.position(), twin.events().len()), (1, 0));
    assert_eq!((first.run(2, || 2), twin.run(2, || 2)), (Next::Wait, Next::Wait));
    assert!(first.twin().is_none(), "effects are in flight");
    let (a, b) = (first.take_requested_calls().remove(0), twin.take_requested_calls().remove(0));
    assert_eq!((a.number, format!("{:?}", a.call)), (b.number, format!("{:?}", b.call)));
    for (job, start) in [(&mut first, a), (&mut twin, b)] {
        assert_eq!(job.complete(start.number, 3, echo(&start.call)), Next::Run);
        assert_eq!(job.run(4, || 4), Next::Ended);
    }
    assert!(first.twin().is_none(), "the job has ended");
    assert_eq!(body(&first.finish()), body(&twin.finish()));
}
