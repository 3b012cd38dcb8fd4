//! Arbitrary traces, which no recorder would write.

use proptest::prelude::*;
use zerver_trace::{
    Answer, Class, Decision, EffectError, EffectErrorKind, Event, LogLevel, MissingReason, Outcome,
    PolicyDecision, QueueReason, Recorded, RequestPart, Thread, Trace,
};

use crate::sample::{flow, plain, sealed, summed, trace};

/// Generates any trace of a flow with one step and two slots.
pub fn any_trace() -> impl Strategy<Value = Trace> {
    let events = prop::collection::vec(event(), 0..40);
    (events, time(), any::<u16>(), 0..4u8).prop_map(|(events, duration_ns, step, ending)| {
        let slots = [("A", false), ("B", true)];
        let mut trace = trace(flow(&slots, &[("one", &[0, 9], &[1])]), duration_ns, events);
        trace.outcome = match ending {
            0 => Outcome::Done,
            1 => Outcome::Panicked { step, message: "oh".into() },
            2 => Outcome::TimedOut { step },
            _ => Outcome::ClientLeft { step },
        };
        trace
    })
}

/// Generates times of all magnitudes, often small ones, so that they collide.
fn time() -> impl Strategy<Value = u64> {
    prop_oneof![0..50u64, any::<u64>()]
}

fn recorded() -> impl Strategy<Value = Recorded> {
    prop_oneof![
        any::<u8>().prop_map(plain),
        any::<String>().prop_map(|text| summed(text.len(), &text)),
        Just(sealed()),
        Just(Recorded::Hashed { hash: [1; 16], masked: None }),
        Just(Recorded::Missing(MissingReason::TooLarge)),
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
        Just(Answer::Canceled),
    ];
    prop_oneof![
        time().prop_map(|at_ns| Event::BodyReceived { at_ns }),
        (small(), time(), time(), time(), decision).prop_map(|(step, ready_ns, at_ns, cpu_ns, decision)| {
            Event::StepRan { step, ready_ns, at_ns, cpu_ns, decision }
        }),
        (small(), recorded()).prop_map(|(step, progress)| Event::StepYielded { step, progress }),
        (small(), small(), time(), recorded()).prop_map(|(step, slot, at_ns, value)| Event::SlotWritten {
            step,
            slot,
            at_ns,
            value
        }),
        (call(), small(), time(), ".{0,4}", recorded(), small()).prop_map(
            |(call, step, at_ns, kind, args, attempt)| Event::EffectRequested {
                call,
                step,
                at_ns,
                kind: kind.into(),
                args,
                attempt,
                timeout_ns: None
            }
        ),
        (call(), time(), answer).prop_map(|(call, at_ns, answer)| Event::EffectCompleted {
            call,
            at_ns,
            answer
        }),
        (call(), time(), 0..6_usize).prop_map(|(call, at_ns, by)| Event::EffectQueued {
            call,
            at_ns,
            reason: [
                QueueReason::RetryDelay,
                QueueReason::Request,
                QueueReason::Target,
                QueueReason::Kind,
                QueueReason::Rate,
                QueueReason::Hedge,
            ][by]
        }),
        prop_oneof![
            (call(), time()).prop_map(|(call, at_ns)| Event::EffectStarted { call, at_ns }),
            (call(), time(), ".{0,4}").prop_map(|(call, at_ns, point)| Event::EffectPoint {
                call,
                at_ns,
                point: point.into()
            }),
            (call(), time(), ".{0,4}").prop_map(|(call, at_ns, rule)| Event::FaultInjected {
                call,
                at_ns,
                rule: rule.into()
            }),
            (call(), time(), ".{0,4}", recorded()).prop_map(|(call, at_ns, target, line)| Event::Logged {
                call,
                at_ns,
                level: LogLevel::Warn,
                target: target.into(),
                line
            }),
            (small(), time(), ".{0,4}", recorded()).prop_map(|(step, at_ns, target, line)| {
                Event::StepLogged { step, at_ns, level: LogLevel::Info, target: target.into(), line }
            }),
            (call(), time(), 0..PolicyDecision::ALL.len(), time()).prop_map(|(call, at_ns, at, wait_ns)| {
                Event::PolicyDecided { call, at_ns, decision: PolicyDecision::ALL[at], wait_ns }
            }),
            (small(), call(), small(), time()).prop_map(|(undo, call, step, at_ns)| Event::UndoRegistered {
                undo: undo.into(),
                call: Some(call),
                step,
                at_ns
            }),
            (small(), time()).prop_map(|(undo, at_ns)| Event::UndoStarted { undo: undo.into(), at_ns }),
            (small(), time(), proptest::option::of(recorded())).prop_map(|(undo, at_ns, failure)| {
                Event::UndoEnded { undo: undo.into(), at_ns, failure }
            }),
        ],
        (time(), small(), proptest::bool::ANY).prop_map(|(at_ns, number, is_low)| Event::Migrated {
            at_ns,
            to: if is_low { Thread::BatchWorker(number) } else { Thread::Worker(number) }
        }),
        (small(), time(), time()).prop_map(|(step, at_ns, quantum_ns)| Event::QuantumExceeded {
            step,
            at_ns,
            quantum_ns
        }),
        prop_oneof![
            (small(), time(), ".{0,6}", proptest::num::u32::ANY).prop_map(|(step, at_ns, file, line)| {
                Event::StepPanicked { step, at_ns, file: file.into(), line, column: 1 }
            }),
            (call(), time(), time(), small(), ".{0,4}").prop_map(|(call, ready_ns, at_ns, on, step)| {
                let on = (on % 2 == 0).then_some(Thread::Worker(on));
                Event::CompletionDelayed {
                    call,
                    ready_ns,
                    at_ns,
                    thread: on,
                    flow: "f".into(),
                    step: step.into(),
                }
            }),
            (time(), time(), ".{0,4}").prop_map(|(unread_ns, ran_ns, step)| Event::ReadDelayed {
                part: RequestPart::Head,
                unread_ns,
                ran_ns,
                flow: "f".into(),
                step: step.into()
            }),
        ],
        (time(), ".{0,6}").prop_map(|(at_ns, reason)| Event::Reclassified {
            at_ns,
            from: Class::Default,
            to: Class::Batch,
            reason: reason.into()
        }),
    ]
}
