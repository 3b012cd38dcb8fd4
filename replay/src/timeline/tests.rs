//! Timelines of hand-built traces: their numbers, and that no trace can break them.

use proptest::prelude::*;
use zerver_trace::{
    Answer, Decision, EffectError, EffectErrorKind, Event, Missing, Outcome, Recorded, RecordedBody, Trace,
};

use super::sample::{self, *};
use super::*;

/// What a reader needs to see of a timeline, in microseconds.
fn show(trace: &Trace) -> String {
    let timeline = Timeline::of(trace);
    let us = |ns: u64| ns as f64 / 1_000.0;
    let mut out = String::new();
    let names = |writes: &[Write]| writes.iter().map(|w| w.name.as_str()).collect::<Vec<_>>().join(" ");
    for run in &timeline.runs {
        let decision = run.decision.map_or("?", Decision::as_str);
        let wrote = names(&run.wrote);
        out += &format!(
            "{} at {} queue {} cpu {} io {} {decision} wrote [{wrote}]\n",
            run.step.name,
            us(run.start_ns),
            us(run.queue_ns),
            us(run.cpu_ns),
            us(run.io_ns),
        );
        for effect in &run.effects {
            out += &format!(
                "  {} at {} took {} in {}: {}, wrote [{}]\n",
                effect.label(),
                us(effect.start_ns),
                us(effect.duration_ns),
                effect.attempts.len(),
                effect.end,
                names(&effect.wrote),
            );
        }
    }
    let t = &timeline.totals;
    out += &format!(
        "total {} = receive {} + queue {} + cpu {} + wait {} + unexplained {}\n",
        us(t.total_ns),
        us(t.receive_ns),
        us(t.queue_ns),
        us(t.cpu_ns),
        us(t.wait_ns),
        us(t.unexplained_ns),
    );
    for (kind, io) in &t.io {
        out += &format!("{kind} {} in {}\n", us(io.ns), io.calls);
    }
    if let Some(verdict) = timeline.verdict(&[]) {
        out += &format!("verdict {}% {}\n", verdict.largest.percent, verdict.largest.label);
    }
    if let Some(failure) = &timeline.failure {
        out += &format!("failure {failure} at {:?}\n", failure.step.as_ref().map(|s| (&s.name, s.line)));
        out += &format!("  {:?} because {:?}\n", failure.effects, failure.causes);
    }
    timeline.gaps.iter().for_each(|gap| out += &format!("gap {gap}\n"));
    out
}

#[test]
fn the_numbers_of_a_slow_request() {
    insta::assert_snapshot!(show(&slow()), @"");
}

#[test]
fn a_retry_is_one_effect_and_a_failure_names_all() {
    insta::assert_snapshot!(show(&failed()), @"");
}

#[test]
fn parallel_effects_are_waited_for_once() {
    let flow = flow(&[("A", false)], &[("both", &[], &[0])]);
    let events = vec![
        Event::Received { at_ns: 0 },
        ran(0, 0, 0, 10, Decision::Need),
        asked(0, 0, 10, "http", plain("a"), 1),
        asked(1, 0, 10, "http", plain("b"), 1),
        asked(2, 0, 10, "kv", plain("c"), 1),
        answered(2, 20, Answer::Cancelled),
        answered(0, 60, Answer::Ok(plain(()))),
        answered(1, 110, Answer::Ok(plain([1, 2]))),
        wrote(0, 0, 110, plain(1)),
    ];
    insta::assert_snapshot!(show(&trace(flow, 110 * US, events)), @"");
}

#[test]
fn many_small_calls_are_one_finding() {
    let flow = flow(&[], &[("each", &[], &[])]);
    let mut events = vec![ran(0, 0, 0, 1, Decision::Need)];
    for call in 0..20 {
        let at = 1 + u64::from(call) * 10;
        events.push(asked(call, 0, at, "sql", plain(call), 1));
        events.push(answered(call, at + 10, Answer::Ok(plain(()))));
    }
    let trace = trace(flow, 201 * US, events);
    let verdict = Timeline::of(&trace).verdict(&[5, 1, 3, 9]).unwrap();
    assert_eq!((verdict.largest.label.as_str(), verdict.largest.percent), ("20 sql calls", 100));
    assert_eq!(verdict.median_ns, Some(3));
}

#[test]
fn a_step_that_yields_runs_again() {
    let flow = flow(&[("Sum", false)], &[("add", &[], &[0])]);
    let events = vec![
        Event::Received { at_ns: 0 },
        ran(0, 0, 0, 10, Decision::Yield),
        Event::Yielded { step: 0, progress: plain(1) },
        ran(0, 10, 15, 10, Decision::Yield),
        Event::Yielded { step: 0, progress: plain(2) },
        // What a step wrote may stand before its run.
        wrote(0, 0, 30, plain(3)),
        ran(0, 25, 25, 5, Decision::Continue),
    ];
    insta::assert_snapshot!(show(&trace(flow, 30 * US, events)), @"");
}

#[test]
fn what_is_missing_or_cannot_be_is_said() {
    let flow = flow(&[], &[("only", &[], &[])]);
    let mut trace = trace(
        flow,
        100 * US,
        vec![
            asked(0, 0, 10, "http", Recorded::Missing(Missing::TooLarge), 1),
            asked(1, 0, 10, "mail", sealed(), 1),
            answered(1, 5, Answer::Err(EffectError::new(EffectErrorKind::Internal, ""))),
            answered(9, 5, Answer::Cancelled),
            ran(7, 90, 80, 1_000, Decision::Panic),
            wrote(7, 3, 90, plain(1)),
        ],
    );
    trace.events_dropped = 3;
    trace.outcome = Outcome::TimedOut { step: 0 };
    trace.request_body = RecordedBody { full_len: 10, kept_len: 4, bytes: wire(b"abcd") };
    insta::assert_snapshot!(show(&trace), @"");
}

#[test]
fn the_document_has_the_promised_fields() {
    let document = |trace: &Trace| {
        let timeline = Timeline::of(trace);
        serde_json::to_value(TimelineJson::new(trace, &timeline, timeline.verdict(&[]).as_ref())).unwrap()
    };
    let json = document(&slow());
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap(), @"");
    assert_eq!(document(&failed())["failure"], serde_json::json!({
        "kind": "not_found", "what": "todo", "key": "456", "message": "", "step": "load_todo",
        "effect": "kv get todo:456", "effects": [{"effect": "kv get todo:456", "outcome": "not found"}],
        "causes": ["the store has no todo:456", "it was deleted"],
        "source": {"file": "src/todos.rs", "line": 40},
    }));
}

/// Times of all sizes, and often small ones, so that they meet.
fn time() -> impl Strategy<Value = u64> {
    prop_oneof![0..50u64, any::<u64>()]
}

fn recorded() -> impl Strategy<Value = Recorded> {
    prop_oneof![
        any::<u8>().prop_map(plain),
        any::<String>().prop_map(|text| summed(text.len(), &text)),
        Just(sealed()),
        Just(Recorded::Hashed { hash: [1; 16] }),
        Just(Recorded::Missing(Missing::TooLarge)),
    ]
}

fn event() -> impl Strategy<Value = Event<Recorded>> {
    let decision = prop::sample::select(vec![
        Decision::Continue,
        Decision::Need,
        Decision::Yield,
        Decision::Done,
        Decision::Fail,
        Decision::Panic,
    ]);
    let small = || prop_oneof![0..4u16, any::<u16>()];
    let call = || prop_oneof![0..6u32, any::<u32>()];
    let answer = prop_oneof![
        recorded().prop_map(Answer::Ok),
        any::<String>().prop_map(|m| Answer::Err(EffectError::new(EffectErrorKind::Timeout, m))),
        Just(Answer::Cancelled),
    ];
    prop_oneof![
        time().prop_map(|at_ns| Event::Received { at_ns }),
        (small(), time(), time(), time(), decision).prop_map(|(step, ready_ns, at_ns, cpu_ns, decision)| {
            Event::Ran { step, ready_ns, at_ns, cpu_ns, decision }
        }),
        (small(), recorded()).prop_map(|(step, progress)| Event::Yielded { step, progress }),
        (small(), small(), time(), recorded())
            .prop_map(|(step, slot, at_ns, value)| Event::Wrote { step, slot, at_ns, value }),
        (call(), small(), time(), ".{0,4}", recorded(), small()).prop_map(
            |(call, step, at_ns, kind, args, attempt)| Event::Asked {
                call,
                step,
                at_ns,
                kind: kind.into(),
                args,
                attempt,
                timeout_ns: None
            }
        ),
        (call(), time(), answer).prop_map(|(call, at_ns, answer)| Event::Answered { call, at_ns, answer }),
    ]
}

proptest! {
    #[test]
    fn any_trace_has_a_timeline_that_adds_up(
        events in prop::collection::vec(event(), 0..40),
        duration_ns in time(),
        step in any::<u16>(),
        ending in 0..4u8,
    ) {
        let mut trace = trace(flow(&[("A", false), ("B", true)], &[("one", &[0, 9], &[1])]), duration_ns, events);
        trace.outcome = match ending {
            0 => Outcome::Done,
            1 => Outcome::Panicked { step, message: "oh".into() },
            2 => Outcome::TimedOut { step },
            _ => Outcome::Gone { step },
        };
        let timeline = Timeline::of(&trace);
        let t = &timeline.totals;
        let parts = [t.receive_ns, t.queue_ns, t.cpu_ns, t.wait_ns, t.unexplained_ns];
        prop_assert_eq!(parts.iter().map(|&ns| u128::from(ns)).sum::<u128>(), u128::from(duration_ns));
        prop_assert_eq!(t.total_ns, duration_ns);
        for io in t.io.values() {
            prop_assert!(io.ns <= duration_ns && io.calls > 0);
        }
        for run in &timeline.runs {
            prop_assert!(run.io_ns <= duration_ns);
            prop_assert!(run.effects.iter().all(|effect| !effect.attempts.is_empty()));
        }
        let asked = trace.events.iter().filter(|event| matches!(event, Event::Asked { .. })).count();
        let shown: usize = timeline.runs.iter().flat_map(|r| &r.effects).map(|e| e.attempts.len()).sum();
        prop_assert_eq!(asked, shown, "every attempt is in the timeline once");
        let verdict = timeline.verdict(&[1, duration_ns]);
        prop_assert!(verdict.as_ref().is_none_or(|verdict| verdict.largest.percent <= 100));
        prop_assert_eq!(Timeline::of(&trace), timeline.clone(), "twice is the same");
        serde_json::to_string(&TimelineJson::new(&trace, &timeline, verdict.as_ref())).unwrap();
    }
}

#[test]
fn an_empty_trace_has_a_timeline() {
    let nothing = trace(sample::flow(&[], &[]), 0, Vec::new());
    let timeline = Timeline::of(&nothing);
    assert_eq!(timeline.totals, Totals::default());
    assert_eq!(timeline.verdict(&[]), None);
    assert_eq!(median(&[]), None);
}
