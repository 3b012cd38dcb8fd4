//! Replays that ask "what if": effects that fail or are late in virtual time, and effects that are performed for real.

use std::cell::RefCell;
use std::time::Duration;

use super::*;

/// Returns the outcome of a run with edits, and its coverage.
pub(super) fn ended(report: &Report) -> String {
    let ending = report.edited_outcome.as_ref().unwrap_or_else(|| panic!("{report:?}"));
    format!(
        "{} {} {}, {} ns instead of {} ns, {} replayed, {} live",
        report.response.as_ref().map_or(0, |response| response.status),
        ending.outcome,
        [&*ending.failure, &*ending.step].join(" at "),
        ending.duration_ns,
        ending.recorded_duration_ns,
        report.coverage.effects_replayed,
        report.coverage.effects_live
    )
}

pub(super) fn fail(text: &str) -> Edits {
    Edits { faults: vec![Fault::failing(text).unwrap()], ..Edits::default() }
}

pub(super) fn late(effect: &str, ns: u64) -> Edits {
    let fault = Fault { effect: effect.into(), kind: FaultKind::Latency { ns } };
    Edits { faults: vec![fault], ..Edits::default() }
}

#[step]
fn ask_limited(start: &Start) -> Decision<(Sum, Sort)> {
    let limited = |n: u64| {
        let call = Call::new(Echo(n)).timeout(Duration::from_millis(300));
        Effect::from_call::<Echo>(call, |output| {
            output.copied().map_err(|error| Failure::from_effect("echo", &error))
        })
    };
    Need(
        all((limited(start.0), limited(start.0 + 1).optional()))
            .map(|(a, b)| (Sum { of: a + b.unwrap_or(0), sort: None }, Sort::Even)),
    )
}

fn limited() -> FlowDef {
    flow!("limited", GET "/", steps: [parse, ask_limited, check, render])
}

/// Replays with a deadline of one second.
fn what_if(def: &FlowDef, edits: &Edits) -> Result<Report, ReplayError> {
    let request = Request::get("/?n=4").with_header("authorization", "Bearer canary-7");
    let recording = Recording { trace: record(def, request, true, usize::MAX), secrets: Secrets::default() };
    let context = ReplayContext { deadline: Some(Duration::from_secs(1)), ..ReplayContext::default() };
    Replay { recording: &recording, flow: &ready(def), route: &|_| true, edits, context }.run(&mut |_| {})
}

#[test]
fn unchanged_durations_end_the_request_at_the_recorded_time() {
    let trace = recorded(4);
    let events = trace.events.clone();
    let asked = |wanted: u32| {
        let at = |event: &zerver_trace::Event<Recorded>| match event {
            zerver_trace::Event::EffectRequested { call, at_ns, .. } if *call == wanted => Some(*at_ns),
            _ => None,
        };
        events.iter().find_map(at).unwrap()
    };
    let answered = |wanted: u32| {
        let at = |event: &zerver_trace::Event<Recorded>| match event {
            zerver_trace::Event::EffectCompleted { call, at_ns, .. } if *call == wanted => Some(*at_ns),
            _ => None,
        };
        events.iter().find_map(at).unwrap()
    };
    let took = answered(0) - asked(0);
    let report = again(trace, &sums(), &late("echo 4", took)).unwrap();
    assert!(report.is_same(), "{report:?}");
    let ending = report.edited_outcome.unwrap();
    assert_eq!(ending.duration_ns, ending.recorded_duration_ns);
    // One nanosecond more delays the request by one, because that answer was the last.
    let ending = again(recorded(4), &sums(), &late("echo 4", took + 1)).unwrap().edited_outcome.unwrap();
    assert_eq!(ending.duration_ns, ending.recorded_duration_ns + 1);
    // The other answer has time to spare.
    let ending = again(recorded(4), &sums(), &late("echo 5", took)).unwrap().edited_outcome.unwrap();
    assert_eq!(ending.duration_ns, ending.recorded_duration_ns);
    assert_eq!(again(recorded(4), &sums(), &Edits::default()).unwrap().edited_outcome, None);
}

/// Requests one after the other, whatever the first returns.
#[step]
fn ask_in_time(start: &Start) -> Decision<(Sum, Sort)> {
    let n = start.0;
    let both =
        effect(Echo(n)).optional().and_then(move |a| effect(Echo(n + 1)).map(move |b| a.unwrap_or(0) + b));
    Need(both.deadline(Duration::from_millis(300)).map(|of| (Sum { of, sort: None }, Sort::Even)))
}

#[test]
fn the_deadline_of_an_effect_applies_in_virtual_time() {
    let in_time = flow!("in-time", GET "/", steps: [parse, ask_in_time, check, render]);
    let slow = |first: u64, second: u64| {
        let fault = |effect: &str, ms: u64| {
            let wrong = FaultKind::Latency { ns: ms * 1_000_000 };
            Fault { effect: effect.into(), kind: wrong }
        };
        Edits { faults: vec![fault("echo 4", first), fault("echo 5", second)], ..Edits::default() }
    };
    let ends = |edits: &Edits| ended(&what_if(&in_time, edits).unwrap());
    let told =
        [slow(100, 150), slow(200, 200), slow(400, 1), fail("echo 5=timeout")].map(|edits| ends(&edits));
    insta::assert_snapshot!(told.join("\n"), @r"
    200 done  at , 250000073 ns instead of 87 ns, 2 replayed, 0 live
    504 failed timeout echo at ask_in_time, 300000045 ns instead of 87 ns, 2 replayed, 0 live
    504 failed timeout echo at ask_in_time, 300000045 ns instead of 87 ns, 2 replayed, 0 live
    504 failed timeout echo at ask_in_time, 300000045 ns instead of 87 ns, 2 replayed, 0 live
    ");
}

#[test]
fn a_fault_decides_the_outcome() {
    let limited_by = [
        fail("echo 4=timeout"),
        fail("echo 4=unreachable"),
        fail("0=malformed"),
        fail("echo 4=error:a=b"),
        late("echo 4", 300_000_000),
        late("echo 4", 300_000_001),
        // This one is optional.
        fail("echo 5=timeout"),
    ];
    let ends = |def: FlowDef, edits: &Edits| ended(&what_if(&def, edits).unwrap());
    let told: Vec<_> = limited_by.iter().map(|edits| ends(limited(), edits)).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    504 failed timeout echo at ask_limited, 300000045 ns instead of 87 ns, 2 replayed, 0 live
    503 failed unavailable echo at ask_limited, 59 ns instead of 87 ns, 2 replayed, 0 live
    502 failed bad_upstream echo at ask_limited, 59 ns instead of 87 ns, 2 replayed, 0 live
    500 failed internal echo at ask_limited, 59 ns instead of 87 ns, 2 replayed, 0 live
    200 done  at , 300000073 ns instead of 87 ns, 2 replayed, 0 live
    504 failed timeout echo at ask_limited, 300000045 ns instead of 87 ns, 2 replayed, 0 live
    200 done  at , 300000073 ns instead of 87 ns, 2 replayed, 0 live
    ");
    // Without a time limit, a call that gets no answer ends with the request.
    let unlimited = [fail("echo 5=timeout"), late("echo 5", 2_000_000_000)];
    let told: Vec<_> = unlimited.iter().map(|edits| ends(sums(), edits)).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    504 timed_out the request's deadline passed at ask, 1000000017 ns instead of 87 ns, 1 replayed, 0 live
    504 timed_out the request's deadline passed at ask, 1000000017 ns instead of 87 ns, 1 replayed, 0 live
    ");
}

/// An effect of a target.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Remote(u64);

impl EffectKind for Remote {
    const KIND: &'static str = "remote";
    type Output = u64;

    fn target(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some("bank".into())
    }
}

#[step]
fn ask_remote(start: &Start) -> Decision<(Sum, Sort)> {
    Need(effect(Remote(start.0)).map(|of| (Sum { of, sort: None }, Sort::Even)))
}

struct OfBank;

impl TargetLimits for OfBank {
    fn time_limit(&self, target: &str) -> Option<Duration> {
        (target == "bank").then_some(Duration::from_millis(200))
    }
}

#[test]
fn the_settings_of_a_target_limit_its_calls() {
    let def = || flow!("remote", GET "/", steps: [parse, ask_remote, check, render]);
    let request = Request::get("/?n=4").with_header("authorization", "Bearer canary-7");
    let mut perform = |call: &Call| Ok(Call::output::<Remote>(call.args::<Remote>().unwrap().0));
    let trace = record_by(&def(), request, true, usize::MAX, &mut perform);
    let recording = Recording { trace, secrets: Secrets::default() };
    let ends = |edits: &Edits, context: ReplayContext<'_>| {
        let flow = ready(&def());
        let replay = Replay { recording: &recording, flow: &flow, route: &|_| true, edits, context };
        let report = replay.run(&mut |_| {}).unwrap();
        let kind = report.edited_outcome.as_ref().map(|outcome| outcome.failure_kind.clone());
        (ended(&report), kind.unwrap_or_default())
    };
    let none = ReplayContext { deadline: Some(Duration::from_secs(1)), ..ReplayContext::default() };
    let limited = ReplayContext { targets: Some(&OfBank), ..none };
    for edits in [fail("remote 4=timeout"), late("remote 4", 300_000_000)] {
        let (told, kind) = ends(&edits, limited);
        assert!(told.starts_with("504 failed timeout remote at ask_remote, 2000000"), "{told}");
        assert_eq!(kind, "timeout");
        let is_default_deadline = ReplayContext { is_default_deadline: true, ..none };
        let kinds = [ends(&edits, none).1, ends(&edits, is_default_deadline).1];
        if edits.faults == fail("remote 4=timeout").faults {
            assert_eq!(kinds, ["service_deadline", "default_deadline"]);
        } else {
            assert_eq!(kinds, ["", ""], "late, but within the deadline");
        }
    }
    let (told, _) = ends(&late("remote 4", 100_000_000), limited);
    assert!(told.starts_with("200 done"), "{told}");
}

#[test]
fn a_fault_without_an_effect_is_an_error() {
    let refused = |edits: &Edits| {
        let refusal = what_if(&sums(), edits).unwrap_err();
        [vec![refusal.message], refusal.hints].concat().join("; ")
    };
    assert_eq!(refused(&fail("echo 44=timeout")), "no step requested echo 44; did you mean echo 4?");
    let both = Edits { faults: fail("echo 44=timeout").faults, ..set("Sum.of=7") };
    assert_eq!(refused(&both), "no step requested echo 44; did you mean echo 4?");
    for wrong in ["echo 4", "echo 4=", "=timeout", "echo 4=late", "echo 4=error"] {
        assert!(Fault::failing(wrong).is_err(), "{wrong}");
    }
    // An effect that is gone because of another edit becomes a note.
    let answers = vec!["echo 6=1".parse().unwrap(), "echo 7=1".parse().unwrap()];
    let edits = Edits { faults: fail("echo 5=timeout").faults, answers, ..set("Start=6") };
    let report = again(recorded(4), &sums(), &edits).unwrap();
    assert_eq!(report.notes, ["no step requested echo 5 in this run"]);
    assert_eq!(report.edited_outcome.unwrap().outcome, "done");
}

#[test]
fn fault_trials_cover_each_effect_and_fault() {
    let told: Vec<_> = fault_trials(&recorded(4))
        .into_iter()
        .map(|trial| format!("{} {} {}", trial.call, trial.fault.effect, trial.word))
        .collect();
    assert_eq!(told[..4], ["0 echo 4 timeout", "0 echo 4 error", "0 echo 4 slow", "0 echo 4 malformed"]);
    assert_eq!(told.len(), 8);
    let slow = fault_trials(&recorded(4)).into_iter().find_map(|trial| match trial.fault.kind {
        FaultKind::Latency { ns } => Some(ns),
        _ => None,
    });
    assert!(slow.is_some_and(|ns| ns > 1_000_000_000));
}

/// Multiplies by ten for real, and remembers each call.
#[derive(Default)]
struct Real(RefCell<Vec<String>>);

impl LivePerformer for Real {
    fn kinds(&self) -> Vec<&'static str> {
        vec!["echo"]
    }

    fn perform(&self, call: &Call, name: &str, within: Duration) -> (CallResult, Duration) {
        assert!(within <= Duration::from_secs(1));
        self.0.borrow_mut().push(name.to_owned());
        (echo(call), Duration::from_nanos(500))
    }
}

#[test]
fn only_named_kinds_are_performed_for_real() {
    let check = |edits: &Edits, has_live: bool| {
        let real = Real::default();
        let recording = Recording { trace: recorded(4), secrets: Secrets::default() };
        let live = has_live.then_some(&real as &dyn LivePerformer);
        let context =
            ReplayContext { deadline: Some(Duration::from_secs(1)), live, ..ReplayContext::default() };
        let report =
            Replay { recording: &recording, flow: &ready(&sums()), route: &|_| true, edits, context }
                .run(&mut |_| {});
        (report, real.0.into_inner())
    };
    let live = |kind: &str| Edits { live: vec![kind.parse().unwrap()], ..set("Start=5") };
    // Call 5 was recorded and is not performed.
    let (report, performed) = check(&live("echo"), true);
    let report = report.unwrap();
    assert_eq!(performed, ["echo 6"]);
    insta::assert_snapshot!(summary(&report), @r"
    different: 4 of 4, 1 replayed, 0 unanswered
    input_edited ask (live) echo 4 arguments: 4 -> 6
    input_edited ask Sum.of: 90 -> 110
    input_edited  response.body.0: 90 -> 110
    ");
    assert_eq!((report.coverage.effects_replayed, report.coverage.effects_live), (1, 1));
    let unused = Edits { live: vec!["echo".parse().unwrap()], ..set("Sum.of=7") };
    let (report, performed) = check(&unused, true);
    assert_eq!(
        report.unwrap().notes,
        ["no effect of kind echo was performed for real: the recording answered all of them"]
    );
    assert!(performed.is_empty());
    // Performed only if the host supports it and the kind is named.
    let (report, performed) = check(&set("Start=5"), true);
    assert!(report.unwrap().coverage.effects_unanswered == 1 && performed.is_empty());
    for (kind, has_live) in [("echo", false), ("ecko", true)] {
        let (report, performed) = check(&live(kind), has_live);
        assert!(report.unwrap_err().message.contains("has no effect of kind") && performed.is_empty());
    }
    // A typing mistake is found before anything is performed.
    let slip = Edits { faults: fail("echo 44=timeout").faults, ..live("echo") };
    let (report, performed) = check(&slip, true);
    assert!(report.is_err() && performed.is_empty());
}
