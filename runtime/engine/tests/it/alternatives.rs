//! Fallbacks, alternatives and hedges, and decisions from outside about further attempts.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zerver_engine::Decision::Need;
use zerver_engine::{
    Call, CallResult, Decision, Effect, EffectError, EffectErrorKind, EffectKind, Hedge, Job, Next, Random,
    Request, RequestedCall, Response, Retry, RetryVerdict, Slot, StandaloneEffect, all, any, effect,
    first_success, flow, step,
};

use crate::driver::{body, events, job};

const MS: u64 = 1_000_000;

#[derive(Debug, Serialize, Deserialize)]
struct Ask(String);

impl EffectKind for Ask {
    const KIND: &'static str = "ask";
    type Output = String;

    fn summary(&self) -> String {
        self.0.clone()
    }

    fn is_safe(&self) -> bool {
        self.0 != "write"
    }

    fn is_idempotent(&self) -> bool {
        true
    }
}

fn ask(whom: &str) -> Effect<String> {
    effect(Ask(whom.to_owned()))
}

fn answer(text: &str) -> CallResult {
    Ok(Call::output::<Ask>(text.to_owned()))
}

fn down() -> CallResult {
    Err(EffectError::new(EffectErrorKind::Unreachable, "down"))
}

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Got(String);

#[step]
fn render(got: &Got) -> Response {
    Response::text(got.0.clone())
}

/// Runs the first step of a job with this effect, and returns the calls that it requests.
macro_rules! begin {
    ($effect:expr) => {{
        #[step]
        fn ask_step() -> Decision<Got> {
            Need($effect.map(|got| Got(format!("{got:?}"))))
        }
        let mut job = job(&flow!("f", GET "/", steps: [ask_step, render]), Request::get("/"));
        assert_eq!(job.run(0, || 0), Next::Wait);
        let calls = job.take_requested_calls();
        (job, calls)
    }};
}

/// Runs the job to its end, and returns the body and the events from the completions on.
fn end(mut job: Job) -> (String, String) {
    while job.run(0, || 0) != Next::Ended {}
    let ended = job.finish();
    let all = events(&ended);
    let seen: Vec<_> = all
        .lines()
        .filter(|line| !line.contains("step") && *line != "received")
        .map(|line| line.replace('"', ""))
        .collect();
    (body(&ended).to_owned(), seen.join("; "))
}

fn pauses(calls: &[RequestedCall]) -> Vec<(u32, u16, u32, u64, bool)> {
    let ms = |call: &RequestedCall| call.pause.as_nanos() as u64 / MS;
    calls.iter().map(|call| (call.number, call.attempt, call.first, ms(call), call.is_hedge)).collect()
}

#[test]
fn a_fallback_is_performed_after_a_failure_only() {
    let (mut job, _) = begin!(ask("a").or(|_| ask("b")));
    assert_eq!(job.complete(0, 0, answer("a")), Next::Run);
    assert_eq!(end(job).0, "\"a\"");
    let (mut job, _) = begin!(ask("a").or(|failure| Effect::ready(failure.to_string())));
    assert_eq!(job.complete(0, 0, down()), Next::Run);
    assert_eq!(end(job).0, "\"unavailable ask\"");
    let (mut job, _) = begin!(ask("a").or(|_| ask("b")).or(|_| ask("c")));
    assert_eq!(job.complete(0, 0, down()), Next::Wait);
    assert_eq!(job.complete(1, 0, down()), Next::Wait);
    assert_eq!(job.complete(2, 0, answer("c")), Next::Run);
    assert_eq!(end(job).0, "\"c\"");
}

#[test]
fn the_first_success_counts_and_the_others_are_canceled() {
    let (mut job, calls) = begin!(any([ask("a"), ask("b"), ask("c")]));
    assert_eq!(calls.len(), 3);
    assert_eq!(job.complete(2, 1, down()), Next::Wait, "a failure leaves the others");
    assert_eq!(job.complete(1, 2, answer("b")), Next::Run);
    assert_eq!(job.take_canceled_calls(), [0]);
    assert!(!job.is_waiting_for(0));
    assert_eq!(job.complete(0, 3, answer("late")), Next::Run, "a late answer is ignored");
    let (body, events) = end(job);
    assert_eq!(
        (body.as_str(), events.as_str()),
        ("\"b\"", "2 fails: unreachable: down; 1 returns b; 0 is canceled")
    );
}

#[test]
fn if_all_fail_the_failure_is_that_of_the_first() {
    let (mut job, _) =
        begin!(any([ask("a").or(|_| Effect::fail(zerver_engine::Failure::conflict("a", 1))), ask("b"),]));
    assert_eq!(job.complete(1, 0, down()), Next::Wait);
    assert_eq!(job.complete(0, 0, down()), Next::Ended);
    assert_eq!(
        end(job).0,
        r#"{"type":"about:blank","title":"Conflict","status":409,"kind":"conflict","what":"a","key":"1"}"#
    );
    let (mut job, _) = begin!(ask("x").and_then(|_| any(Vec::<Effect<String>>::new())));
    assert_eq!(job.complete(0, 0, answer("x")), Next::Ended);
}

#[test]
fn effects_are_performed_one_after_another_until_one_succeeds() {
    let (mut job, calls) = begin!(first_success([ask("a"), ask("b"), ask("c")]));
    assert_eq!(calls.len(), 1, "the others have not begun");
    assert_eq!(job.complete(0, 1, down()), Next::Wait);
    assert_eq!(job.complete(1, 2, answer("b")), Next::Run);
    assert_eq!(end(job).0, "\"b\"");

    let (mut job, _) = begin!(first_success([ask("a"), ask("b")]));
    assert_eq!(job.complete(0, 0, down()), Next::Wait);
    assert_eq!(job.complete(1, 0, down()), Next::Ended);
    assert!(end(job).0.contains(r#""status":503"#), "the failure is that of the last");
    let (mut job, _) = begin!(ask("x").and_then(|_| first_success(Vec::<Effect<String>>::new())));
    assert_eq!(job.complete(0, 0, answer("x")), Next::Ended);

    // Many alternatives do not overflow the stack, whether they are performed or dropped.
    let failing = || Effect::<String>::fail(zerver_engine::Failure::unavailable("many"));
    let many = (0..100_000).map(|_| failing()).chain([Effect::ready("last".to_owned())]);
    drop(first_success((0..100_000).map(|_| failing())));
    let mut effect = StandaloneEffect::new(first_success(many), Random { seed: 0 });
    let output = std::iter::repeat_with(|| effect.advance(None, 0)).flatten().next();
    assert_eq!(output.unwrap().unwrap(), "last");
}

#[test]
fn a_canceled_alternative_takes_its_groups_and_attempts_with_it() {
    let (mut job, calls) = begin!(all((
        any([
            all((ask("a"), any([ask("b"), ask("c")]))).map(|(a, _)| a),
            ask("d").retry(Retry::attempts(3)),
            ask("e"),
        ]),
        ask("f"),
    )));
    assert_eq!(calls.len(), 6);
    assert_eq!(job.complete(1, 0, answer("b")), Next::Wait);
    assert_eq!(job.take_canceled_calls(), [2]);
    assert_eq!(job.complete(3, 0, down()), Next::Wait);
    let again = job.take_requested_calls();
    assert_eq!((again[0].number, again[0].attempt, again[0].first), (6, 2, 3));
    assert_eq!(job.complete(4, 0, answer("e")), Next::Wait);
    let mut canceled = job.take_canceled_calls();
    canceled.sort_unstable();
    assert_eq!(canceled, [0, 6]);
    assert_eq!(job.complete(5, 0, answer("f")), Next::Run);
    assert_eq!(end(job).0, r#"("e", "f")"#);
}

#[test]
fn a_ready_alternative_cancels_calls_that_were_only_requested() {
    let (mut job, calls) = begin!(all((any([ask("a"), Effect::ready("r".to_owned())]), ask("b"))));
    let waiting: Vec<_> = calls.iter().filter(|call| job.is_waiting_for(call.number)).collect();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert_eq!(job.complete(1, 0, answer("b")), Next::Run);
    assert_eq!(end(job).0, r#"("r", "b")"#);
}

#[test]
fn the_second_call_of_a_hedge_is_canceled_if_the_first_answers_in_time() {
    let (mut job, calls) = begin!(ask("a").hedge(Hedge::after(Duration::from_millis(30))));
    assert_eq!(pauses(&calls), [(0, 1, 0, 0, false), (1, 2, 0, 30, true)]);
    assert_eq!(job.complete(0, 29 * MS, answer("x")), Next::Run);
    assert_eq!(job.take_canceled_calls(), [1]);
    assert_eq!(end(job).1, "0 returns x; 1 is canceled");
    let (_, calls) = begin!(ask("write").hedge(Hedge::after(Duration::from_millis(30))));
    assert_eq!(calls.len(), 1, "a call that is not safe is made once");
    let (_, calls) =
        begin!(ask("a").hedge(Hedge::after(Duration::from_millis(30))).deadline(Duration::from_millis(30)));
    assert_eq!(calls.len(), 1, "a second call would begin too late");
}

#[test]
fn the_first_answer_of_a_hedge_counts() {
    let (mut job, _) = begin!(ask("a").hedge(Hedge::after(Duration::from_millis(30))));
    assert_eq!(job.complete(1, 40 * MS, answer("second")), Next::Run);
    assert_eq!(end(job).1, "1 returns second; 0 is canceled; 1: second attempt answered first");
    let (mut job, _) = begin!(ask("a").hedge(Hedge::after(Duration::from_millis(30))));
    assert_eq!(job.complete(1, 40 * MS, down()), Next::Wait, "a failure waits for the other answer");
    assert_eq!(job.complete(0, 50 * MS, answer("first")), Next::Run);
    assert_eq!(end(job).0, "\"first\"");
}

#[test]
fn a_hedged_call_that_fails_at_once_is_retried() {
    let (mut job, _) =
        begin!(ask("a").hedge(Hedge::after(Duration::from_millis(30))).retry(Retry::attempts(2)));
    assert_eq!(job.complete(0, MS, down()), Next::Wait);
    assert_eq!(job.take_canceled_calls(), [1]);
    let again = job.take_requested_calls();
    assert_eq!((again[0].number, again[0].attempt, again[0].first), (2, 2, 0));
    assert_eq!(job.complete(2, MS, answer("a")), Next::Run);
}

#[test]
fn the_owner_of_a_job_decides_about_further_attempts() {
    let (mut job, _) = begin!(ask("a").retry(Retry::attempts(3)).or(|_| Effect::ready("none".to_owned())));
    let next = job.complete_with(0, 0, down(), &mut |end| {
        assert!(end.has_own_policy && end.own_pause.is_some() && end.attempt == 1);
        RetryVerdict::Stop
    });
    assert_eq!((next, end(job).0.as_str()), (Next::Run, "\"none\""));

    let (mut job, _) = begin!(ask("a").retry(Retry::attempts(3)));
    let pause = Duration::from_secs(2);
    assert_eq!(job.complete_with(0, 0, down(), &mut |_| RetryVerdict::After(pause)), Next::Wait);
    assert_eq!(pauses(&job.take_requested_calls()), [(1, 2, 0, 2_000, false)]);

    let (mut job, calls) = begin!(ask("a").deadline(Duration::from_secs(3)));
    let call = calls[0].call.clone();
    let again = |call: &Call, pause| RetryVerdict::Again(call.clone(), pause);
    assert_eq!(job.complete_with(0, 0, down(), &mut |_| again(&call, pause)), Next::Wait);
    assert_eq!(pauses(&job.take_requested_calls()), [(1, 2, 0, 2_000, false)]);
    let next = job.complete_with(1, 2_000 * MS, down(), &mut |end| {
        assert_eq!((end.attempt, end.own_pause), (2, None));
        again(&call, pause)
    });
    assert_eq!(next, Next::Ended, "no attempt starts after the deadline");
}
