//! Retries: a replay makes the same attempts, and faults may hit one attempt or all.

use zerver_engine::{EffectError, EffectErrorKind, Retry};
use zerver_trace::Event;

use super::what_if::{ended, fail, late};
use super::*;

#[step]
fn ask_again(start: &Start) -> Decision<(Sum, Sort)> {
    let again = effect(Echo(start.0)).retry(Retry::attempts(3));
    Need(again.map(|of| (Sum { of, sort: None }, Sort::Even)))
}

fn retrying() -> FlowDef {
    flow!("retrying", GET "/", steps: [parse, ask_again, check, render])
}

/// Records a request in which this many attempts failed.
fn recorded_after(failures: u32) -> Trace {
    let mut left = failures;
    let perform = &mut |call: &Call| match left.checked_sub(1) {
        Some(less) => {
            left = less;
            Err(EffectError::new(EffectErrorKind::Unreachable, "connection refused"))
        }
        None => echo(call),
    };
    record_by(&retrying(), Request::get("/?n=4"), false, usize::MAX, perform)
}

fn pauses_ns(trace: &Trace) -> u64 {
    Observed::of_trace(trace).calls().map(|call| call.retry_delay_ns).sum()
}

#[test]
fn the_same_attempts_are_reproduced() {
    for failures in 0..=3 {
        let trace = recorded_after(failures);
        let attempts: Vec<_> = trace
            .events
            .iter()
            .filter_map(|event| match event {
                Event::EffectRequested { attempt, .. } => Some(u32::from(*attempt)),
                _ => None,
            })
            .collect();
        assert_eq!(attempts, (1..=(failures + 1).min(3)).collect::<Vec<_>>());
        assert_eq!(trace.status, if failures < 3 { 200 } else { 503 });
        assert_eq!(pauses_ns(&trace) > 0, failures > 0);
        let report = again(trace.clone(), &retrying(), &Edits::default()).unwrap();
        assert!(report.is_same(), "{report:?}");
        assert_eq!(report.coverage.effects_replayed, attempts.len() as u32);
    }
}

#[test]
fn the_attempt_after_a_fault_gets_the_recorded_answer() {
    let trace = recorded_after(0);
    let ends = |edits: &Edits| again(trace.clone(), &retrying(), edits).unwrap();
    let report = ends(&fail("0=unreachable"));
    let ending = report.edited_outcome.as_ref().unwrap();
    assert_eq!((ending.outcome.as_str(), report.coverage.effects_replayed), ("done", 2), "{report:?}");
    assert!(ending.duration_ns > ending.recorded_duration_ns, "there was a pause: {ending:?}");
    let all = [fail("0=unreachable"), fail("echo 4=unreachable"), fail("0=malformed"), late("0", 50)];
    let told: Vec<_> = all.iter().map(|edits| ended(&ends(edits))).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    200 done  at , 16349012 ns instead of 80 ns, 2 replayed, 0 live
    503 failed unavailable echo at ask_again, 58633622 ns instead of 80 ns, 3 replayed, 0 live
    502 failed bad_upstream echo at ask_again, 52 ns instead of 80 ns, 1 replayed, 0 live
    200 done  at , 123 ns instead of 80 ns, 1 replayed, 0 live
    ");
}

#[test]
fn recorded_attempts_come_first() {
    let trace = recorded_after(1);
    // The first attempt failed in the recording. With a fault in the second, the third gets its answer.
    let report = again(trace.clone(), &retrying(), &fail("1=unreachable")).unwrap();
    assert_eq!(
        (report.edited_outcome.unwrap().outcome.as_str(), report.coverage.effects_replayed),
        ("done", 3)
    );
    // In virtual time, the attempt takes its recorded time including the pause.
    let held_ns =
        |trace: &Trace| again(trace.clone(), &retrying(), &late("1", 7)).unwrap().edited_outcome.unwrap();
    let ending = held_ns(&trace);
    assert_eq!(ending.duration_ns, ending.recorded_duration_ns, "{ending:?}");
    assert_eq!(fault_trials(&trace).len(), 8, "each attempt, with each fault");
}

#[test]
fn a_missing_retry_is_a_finding() {
    #[step]
    fn ask_again(start: &Start) -> Decision<(Sum, Sort)> {
        Need(effect(Echo(start.0)).map(|of| (Sum { of, sort: None }, Sort::Even)))
    }
    let once = flow!("retrying", GET "/", steps: [parse, ask_again, check, render]);
    let report = again(recorded_after(1), &once, &Edits::default()).unwrap();
    insta::assert_snapshot!(summary(&report), @r#"
    different: 2 of 4, 1 replayed, 0 unanswered
    missing_effect ask_again echo 4: requested -> nothing
    code_changed ask_again Sum: {of: 40, sort: none} -> not written
    code_changed ask_again Sort: Even -> not written
    code_changed check steps: check, render -> not run
    code_changed ask_again outcome: done -> failed: unavailable echo
    code_changed  response.status: 200 -> 503
    code_changed  response.headers.content-type: application/json -> application/problem+json
    code_changed  response.body: [40,"Even"] -> {"type":"about:blank","title":"Service Unavailable","status":503,"kind":"unavailable","what":"echo"}
    "#);
}
