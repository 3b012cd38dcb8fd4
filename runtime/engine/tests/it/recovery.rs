//! Recovery: a step that runs once when a flow fails.

use serde::{Deserialize, Serialize};
use zerver_engine::Decision::{Done, Fail, Need};
use zerver_engine::{
    Call, CallResult, Decision, EffectError, EffectErrorKind, EffectKind, Failure, Final, FlowDef, Next,
    Request, Response, Slot, StopReason, effect, flow, step,
};
use zerver_trace::Outcome;

use crate::driver::{body, events, job, no_effects, run};

#[derive(Slot, Serialize, Deserialize)]
struct Sum(u64);

#[derive(Slot, Serialize, Deserialize)]
struct Later(u64);

#[derive(Serialize, Deserialize)]
struct Ask(u64);

impl EffectKind for Ask {
    const KIND: &'static str = "ask";
    type Output = u64;
}

#[step]
fn check(request: &Request) -> Result<Sum, Failure> {
    match request.uri.query() {
        Some("check") => Err(Failure::not_found("todo", 7).message("no such todo")),
        Some("panic") => panic!("broken"),
        _ => Ok(Sum(1)),
    }
}

#[step]
fn ask(sum: &Sum) -> Decision<Later> {
    Need(effect(Ask(sum.0)).map(Later))
}

#[step]
fn show(later: &Later) -> Response {
    Response::text(later.0.to_string())
}

#[step]
fn apologize(failure: &Failure, request: &Request, sum: Option<&Sum>, later: Option<&Later>) -> Response {
    assert!(later.is_none());
    Response::text(format!(
        "{} {} at {:?} by {:?}, sum {:?}, {}",
        failure.kind(),
        failure.what(),
        failure.step(),
        failure.effect(),
        sum.map(|sum| sum.0),
        request.method,
    ))
}

fn flow() -> FlowDef {
    flow!("f", GET "/", steps: [check, ask, show], recover: apologize)
}

fn refuse(_: &Call) -> CallResult {
    Err(EffectError::new(EffectErrorKind::Timeout, "no answer within 1s"))
}

#[test]
fn a_failure_of_a_step_reaches_the_recovery_step_with_what_was_written() {
    let ended = run(&flow(), Request::get("/?check"), no_effects);
    assert_eq!(body(&ended), r#"not_found todo at Some("check") by None, sum None, GET"#);
    assert_eq!(ended.outcome, Outcome::Done);
    let expected = "received\nstep 0: fail\n\
        step 0 wrote 3: {kind: not_found, what: \"todo\", key: \"7\", message: \"no such todo\", step: \"check\"}\n\
        step 3: done";
    assert_eq!(events(&ended), expected);
}

#[test]
fn a_failure_of_an_effect_reaches_the_recovery_step_with_its_kind() {
    let ended = run(&flow(), Request::get("/"), refuse);
    assert_eq!(body(&ended), r#"timeout ask at Some("ask") by Some("ask"), sum Some(1), GET"#);
    assert!(
        events(&ended).contains(r#"step: "ask", effect: "ask", call: 0, causes: ["#),
        "{}",
        events(&ended)
    );
}

#[test]
fn a_flow_that_succeeds_does_not_run_its_recovery_step() {
    let ended = run(&flow(), Request::get("/"), |_| Ok(Call::output::<Ask>(5)));
    assert_eq!(body(&ended), "5");
    assert!(events(&ended).ends_with("step 2: done"), "{}", events(&ended));
}

#[test]
fn a_failure_that_goes_on_keeps_its_step_and_its_call() {
    #[step]
    fn go_on(failure: &Failure) -> Result<Response, Failure> {
        Err(failure.clone().message("try again later").retry_after(5))
    }
    let def = flow!("f", GET "/", steps: [check, ask, show], recover: go_on);
    let ended = run(&def, Request::get("/"), refuse);
    let Outcome::Failed(failure) = &ended.outcome else { panic!("{:?}", ended.outcome) };
    assert_eq!((failure.step, failure.call, failure.message.as_str()), (Some(1), Some(0), "try again later"));
    assert_eq!(ended.response.unwrap().headers["retry-after"], "5");
}

#[test]
fn a_recovery_step_that_fails_by_itself_is_the_step_that_failed() {
    #[step]
    fn ask_again(failure: &Failure) -> Decision<Final> {
        match failure.effect() {
            Some(_) => Need(effect(Ask(9)).try_map(|_| Err(Failure::internal("unreachable")))),
            None => Fail(Failure::unavailable("recovery")),
        }
    }
    let def = flow!("f", GET "/", steps: [check, ask, show], recover: ask_again);
    for (target, what, call) in [("/?check", "recovery", None), ("/", "ask", Some(1))] {
        let ended = run(&def, Request::get(target), refuse);
        let Outcome::Failed(failure) = &ended.outcome else { panic!("{:?}", ended.outcome) };
        assert_eq!((&*failure.what, failure.step, failure.call), (what, Some(3), call));
    }
}

#[test]
fn neither_a_panic_nor_the_deadline_nor_a_client_that_leaves_is_recovered_from() {
    let ended = run(&flow(), Request::get("/?panic"), no_effects);
    assert!(matches!(ended.outcome, Outcome::Panicked { step: 0, .. }));
    for reason in [StopReason::DeadlinePassed, StopReason::ClientLeft] {
        let mut job = job(&flow(), Request::get("/"));
        assert_eq!(job.run(1, || 2), Next::Run);
        job.stop(reason, 3);
        assert_eq!(job.run(4, || 5), Next::Ended);
    }
}

#[test]
fn a_recovery_step_can_yield() {
    #[step]
    fn count(failure: &Failure, so_far: Option<u8>) -> Decision<Final, u8> {
        match so_far.unwrap_or(0) {
            3 => Done(Response::text(failure.to_string())),
            n => Decision::Yield(n + 1),
        }
    }
    let def = flow!("f", GET "/", steps: [check, ask, show], recover: count);
    let ended = run(&def, Request::get("/?check"), no_effects);
    assert_eq!(body(&ended), "not_found todo 7: no such todo");
}
