//! Undo: effects that are performed, the latest first, once a request has failed.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use zerver_engine::Decision::{Done, Fail, Need};
use zerver_engine::{
    Call, CallResult, Decision, Effect, EffectError, EffectErrorKind, EffectKind, Failure, FinishedJob, Flow,
    FlowDef, Next, Request, Response, Retry, Slot, StopReason, all, effect, flow, join_all, settle,
    settle_each, step,
};
use zerver_trace::{Answer, Event, Outcome};

use crate::driver::{body, events, job, run};

#[derive(Serialize, Deserialize)]
struct Charge(u64);

impl EffectKind for Charge {
    const KIND: &'static str = "charge";
    type Output = u64;
    fn is_idempotent(&self) -> bool {
        true
    }
}

#[derive(Serialize, Deserialize)]
struct Refund(u64);

impl EffectKind for Refund {
    const KIND: &'static str = "refund";
    type Output = ();
    fn is_idempotent(&self) -> bool {
        true
    }
}

fn charge(n: u64) -> Effect<u64> {
    effect(Charge(n)).undo(|&receipt| effect(Refund(receipt)).retry(Retry::attempts(2)))
}

#[derive(Slot, Serialize, Deserialize)]
struct First(u64);

#[derive(Slot, Serialize, Deserialize)]
struct Both(u64, u64);

#[step]
fn first() -> Decision<First> {
    Need(charge(1).map(First))
}

#[step]
fn second(first: &First) -> Decision<Both> {
    let n = first.0;
    Need(all((charge(2), charge(3))).map(move |(a, b)| Both(n + a, b)))
}

#[step]
fn end(both: &Both, request: &Request) -> Decision<zerver_engine::Final> {
    match request.uri.query() {
        Some("fail") => Fail(Failure::conflict("order", both.0)),
        Some("panic") => panic!("broken"),
        Some("done") => Done(Response::no_content().status(http::StatusCode::CONFLICT)),
        _ => Done(Response::text(both.1.to_string())),
    }
}

fn order() -> FlowDef {
    flow!("order", GET "/", steps: [first, second, end])
}

/// Charges return ten times their number.
fn perform(call: &Call) -> CallResult {
    match call.args::<Charge>() {
        Some(charge) => Ok(Call::output::<Charge>(charge.0 * 10)),
        None => Ok(Call::output::<Refund>(())),
    }
}

/// Returns the receipts that were refunded, in order.
fn refunds(ended: &FinishedJob) -> Vec<String> {
    let requested = ended.events.iter().filter_map(|event| match event {
        Event::EffectRequested { kind, args, .. } if &**kind == "refund" => args.summary(),
        _ => None,
    });
    requested.collect()
}

#[test]
fn a_request_that_succeeds_undoes_nothing() {
    let ended = run(&order(), Request::get("/"), perform);
    assert_eq!((body(&ended), refunds(&ended).len()), ("30", 0));
    // A response that a step gives is no failure, whatever its status.
    assert!(refunds(&run(&order(), Request::get("/?done"), perform)).is_empty());
}

#[test]
fn a_failure_undoes_the_effects_of_all_steps_the_latest_first() {
    let ended = run(&order(), Request::get("/?fail"), perform);
    assert!(matches!(&ended.outcome, Outcome::Failed(failure) if failure.step == Some(2)));
    assert_eq!(ended.response.as_ref().unwrap().status, 409);
    assert!(!body(&ended).contains("not_undone"), "{}", body(&ended));
    // The calls of a group are answered in the order in which the test answers them: the latest first.
    assert_eq!(refunds(&ended), ["20", "30", "10"]);
    let all = events(&ended);
    let last = "undo 0 starts\nstep 2 requests 5: refund 10\n5 returns ()\nundo 0 ends";
    assert!(all.contains("step 0 can undo 0 by undo 0") && all.ends_with(last), "{all}");
}

#[test]
fn a_panic_the_deadline_and_a_client_that_leaves_undo_too() {
    let ended = run(&order(), Request::get("/?panic"), perform);
    assert!(matches!(ended.outcome, Outcome::Panicked { step: 2, .. }));
    assert_eq!(refunds(&ended).len(), 3);
    for (reason, status) in [(StopReason::DeadlinePassed, 504), (StopReason::ClientLeft, 0)] {
        let mut job = job(&order(), Request::get("/"));
        assert_eq!(job.run(1, || 2), Next::Wait);
        assert_eq!(job.complete(0, 3, Ok(Call::output::<Charge>(10))), Next::Run);
        assert_eq!(job.run(4, || 5), Next::Wait);
        job.take_requested_calls();
        assert_eq!(job.stop(reason, 6), Next::Undo);
        assert_eq!((job.run(7, || 8), job.undo(7)), (Next::Undo, Next::Wait));
        let calls = job.take_requested_calls();
        assert_eq!((calls.len(), calls[0].call.kind()), (1, "refund"));
        assert_eq!(job.complete(calls[0].number, 9, Ok(Call::output::<Refund>(()))), Next::Ended);
        let ended = job.finish();
        assert_eq!(ended.response.map_or(0, |response| response.status.as_u16()), status);
    }
}

#[test]
fn an_effect_that_is_not_undone_is_named_in_the_failure_and_the_others_are_undone() {
    let perform_except_20 = |call: &Call| match call.args::<Refund>() {
        Some(Refund(20)) => Err(EffectError::new(EffectErrorKind::Unreachable, "no route")),
        _ => perform(call),
    };
    let ended = run(&order(), Request::get("/?fail"), perform_except_20);
    // One undo has its own two attempts.
    assert_eq!(refunds(&ended), ["20", "20", "30", "10"]);
    assert!(body(&ended).contains(r#""not_undone":["charge"]"#), "{}", body(&ended));
    let Outcome::Failed(failure) = &ended.outcome else { panic!("{:?}", ended.outcome) };
    assert_eq!(failure.causes[0], "not undone: charge: unavailable refund");
    assert!(events(&ended).contains("undo 2 fails: {kind: unavailable"), "{}", events(&ended));
}

#[test]
fn an_undo_that_panics_is_not_undone() {
    #[step]
    fn start() -> Decision<First> {
        let undo = |&n: &u64| effect(Refund(n)).map(|()| -> () { panic!("while undoing") });
        Need(effect(Charge(1)).undo(undo).map(First))
    }
    #[step]
    fn fail(_first: &First) -> Result<Response, Failure> {
        Err(Failure::conflict("order", 1))
    }
    let ended = run(&flow!("f", GET "/", steps: [start, fail]), Request::get("/"), perform);
    let Outcome::Failed(failure) = &ended.outcome else { panic!("{:?}", ended.outcome) };
    assert_eq!(failure.causes, ["not undone: charge: internal undo", "panicked: while undoing"]);
}

#[test]
fn what_is_not_undone_in_time_is_not_undone() {
    let mut job = job(&order(), Request::get("/?fail"));
    let mut next = Next::Run;
    let mut now = 0;
    while next != Next::Undo {
        now += 1;
        next = match job.take_requested_calls().first() {
            None if next == Next::Run => job.run(now, || now),
            None => panic!("{next:?}"),
            Some(start) => job.complete(start.number, now, perform(&start.call)),
        };
        if next == Next::Wait && job.is_waiting_for(2) {
            next = job.complete(2, now, Ok(Call::output::<Charge>(30)));
        }
    }
    assert_eq!(job.undo(50), Next::Wait);
    assert_eq!(job.stop(StopReason::DeadlinePassed, 60), Next::Ended);
    let ended = job.finish();
    let all = events(&ended);
    assert!(
        all.contains("3 is canceled\nundo 2 fails: {kind: timeout") && all.contains("undo 0 fails"),
        "{all}"
    );
    assert!(body(&ended).contains(r#""not_undone":["charge","charge","charge"]"#), "{}", body(&ended));
}

#[test]
fn a_recovery_step_that_answers_with_a_success_keeps_what_was_done() {
    #[step]
    fn accept(failure: &Failure, request: &Request) -> Response {
        let status = match request.uri.query() {
            Some("fail") => http::StatusCode::ACCEPTED,
            _ => http::StatusCode::BAD_GATEWAY,
        };
        Response::text(failure.to_string()).status(status)
    }
    #[step]
    fn fail(_both: &Both) -> Result<Response, Failure> {
        Err(Failure::conflict("order", 1))
    }
    let def = flow!("order", GET "/", steps: [first, second, fail], recover: accept);
    let kept = run(&def, Request::get("/?fail"), perform);
    assert_eq!((kept.response.as_ref().unwrap().status.as_u16(), refunds(&kept).len()), (202, 0));
    let undone = run(&def, Request::get("/"), perform);
    assert_eq!((undone.response.as_ref().unwrap().status.as_u16(), refunds(&undone).len()), (502, 3));
    // If something is not undone, the failure takes the place of the response.
    let broken = run(&def, Request::get("/"), |call| match call.kind() {
        "refund" => Err(EffectError::new(EffectErrorKind::Timeout, "late")),
        _ => perform(call),
    });
    assert_eq!(broken.response.as_ref().unwrap().status, 409);
    assert!(matches!(&broken.outcome, Outcome::Failed(_)), "{:?}", broken.outcome);
}

#[test]
fn results_of_a_group_reach_the_next_step_by_name() {
    #[derive(Slot, Serialize, Deserialize)]
    struct Results {
        one: Result<u64, Failure>,
        two: Result<u64, Failure>,
        more: zerver_engine::Settled<u64>,
    }
    #[step]
    fn ask() -> Decision<Results> {
        let more = settle_each([("acme", effect(Charge(3))), ("globex", effect(Charge(4)))]);
        let two = settle((effect(Charge(1)), effect(Charge(2))));
        Need(all((two, more)).map(|((one, two), more)| Results { one, two, more }))
    }
    #[step]
    fn show(results: &Results) -> Response {
        let failed: Vec<&str> = results.more.failed().map(|(name, _)| name).collect();
        let succeeded: Vec<_> = results.more.succeeded().collect();
        let one = results.one.as_ref().ok();
        let two = results.two.as_ref().err().map(Failure::to_string);
        assert!(matches!(results.more.get("acme"), Some(Ok(30))) && results.more.get("none").is_none());
        Response::text(format!("{one:?} {two:?} {failed:?} {succeeded:?}"))
    }
    let def = flow!("f", GET "/", steps: [ask, show]);
    let ended = run(&def, Request::get("/"), |call| match call.args::<Charge>() {
        Some(Charge(n)) if n % 2 == 0 => Err(EffectError::new(EffectErrorKind::Timeout, "late")),
        _ => perform(call),
    });
    assert_eq!(body(&ended), r#"Some(10) Some("timeout charge") ["globex"] [("acme", 30)]"#);
    // The slot can be decoded, as for an edit of a replay.
    let flow = Flow::new(&def, |failure, _| failure.to_response()).unwrap();
    let written = ended.events.iter().find_map(|event| match event {
        Event::SlotWritten { value, .. } => Some(zerver_trace::Value::from_recordable(&**value).unwrap()),
        _ => None,
    });
    assert!(flow.decode_slot(0, &written.unwrap()).unwrap().is_ok());
}

/// A plan of charges: each succeeds or fails, alone or in a group.
fn plan() -> impl Strategy<Value = Vec<Vec<bool>>> {
    prop::collection::vec(prop::collection::vec(prop::bool::weighted(0.8), 1..5), 1..5)
}

proptest! {
    /// Whatever succeeds before a failure is undone exactly once, and later groups before earlier ones.
    #[test]
    fn each_effect_is_undone_exactly_once_in_reverse_order(plan in plan()) {
        thread_local! {
            static PLAN: std::cell::RefCell<Vec<Vec<bool>>> = const { std::cell::RefCell::new(Vec::new()) };
        }
        PLAN.set(plan.clone());
        #[step]
        fn follow() -> Decision<First> {
            let groups = PLAN.with_borrow(Clone::clone);
            let start: Effect<()> = Effect::ready(());
            let all = groups.into_iter().enumerate().fold(start, |before, (group, members)| {
                before.and_then(move |()| {
                    let charges = members.into_iter().enumerate().map(|(at, succeeds)| {
                        charge((group * 100 + at * 10) as u64 + u64::from(!succeeds))
                    });
                    join_all(charges.collect::<Vec<_>>()).map(|_| ())
                })
            });
            Need(all.try_map(|()| Err(Failure::conflict("plan", 1))))
        }
        #[step]
        fn never(first: &First) -> Response {
            Response::text(first.0.to_string())
        }
        let mut charged = Vec::new();
        let mut refunded = Vec::new();
        let ended = run(&flow!("f", GET "/", steps: [follow, never]), Request::get("/"), |call| {
            if let Some(Refund(receipt)) = call.args::<Refund>() {
                refunded.push(*receipt);
            } else if let Some(Charge(n)) = call.args::<Charge>() {
                if n % 10 == 1 {
                    return Err(EffectError::new(EffectErrorKind::Invalid, "refused"));
                }
                charged.push(n * 10);
            }
            perform(call)
        });
        charged.reverse();
        prop_assert_eq!(&charged, &refunded);
        let canceled = |event: &Event<_>| matches!(event, Event::EffectCompleted { answer: Answer::Canceled, .. });
        prop_assert!(!ended.events.iter().any(canceled));
        prop_assert!(matches!(ended.outcome, Outcome::Failed(_)));
    }
}
