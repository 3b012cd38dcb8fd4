//! Measures the comparison of two traces of 10,000 events: `cargo bench -p zerver-analysis`. Prints times and asserts
//! nothing about them.

#![allow(missing_docs, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use zerver_analysis::{Diff, IgnoredHeaders, Timeline};
use zerver_trace::{
    Answer, Class, Decision, Event, FlowInfo, Kept, Outcome, Recorded, RecordedBody, RecordedBy, RequestId,
    SlotInfo, StepInfo, Trace, Value,
};

const EVENTS: u32 = 10_000;
const ROUNDS: usize = 21;

#[derive(Serialize)]
struct Row {
    id: u32,
    title: String,
    tags: [&'static str; 2],
}

fn plain(value: impl Serialize) -> Recorded {
    Recorded::Plain { value: Value::from_serialize(&value).unwrap(), summary: None }
}

/// Four events per step: it runs, requests an effect, is answered, and writes.
fn many_steps(extra_ns: u64) -> Trace {
    let steps = EVENTS / 4;
    let mut events = Vec::new();
    for n in 0..steps {
        let (step, at) = (n as u16, u64::from(n) * (1_000 + extra_ns));
        events.push(Event::StepRan {
            step,
            ready_ns: at,
            at_ns: at + 10,
            cpu_ns: 90,
            decision: Decision::Need,
        });
        events.extend(effect(n, step, at + 100, 800 + extra_ns));
        let row = Row { id: n, title: format!("todo {n} of {extra_ns}"), tags: ["a", "b"] };
        events.push(Event::SlotWritten { step, slot: step, at_ns: at + 900 + extra_ns, value: plain(row) });
    }
    trace(steps, u64::from(steps) * (1_000 + extra_ns), events)
}

/// Step that requests everything.
fn one_step(extra_ns: u64) -> Trace {
    let calls = EVENTS / 2 - 1;
    let mut events =
        vec![Event::StepRan { step: 0, ready_ns: 0, at_ns: 0, cpu_ns: 90, decision: Decision::Need }];
    events.extend((0..calls).flat_map(|n| effect(n, 0, 100 + u64::from(n), 800 + extra_ns)));
    trace(1, 10_000 + extra_ns, events)
}

fn effect(call: u32, step: u16, at_ns: u64, took_ns: u64) -> [Event<Recorded>; 2] {
    let (kind, args) = ("kv".into(), plain(("get", format!("todo:{call}"))));
    let row = Row { id: call, title: format!("todo {call} after {took_ns}"), tags: ["a", "b"] };
    [
        Event::EffectRequested { call, step, at_ns, kind, args, attempt: 1, timeout_ns: None },
        Event::EffectCompleted { call, at_ns: at_ns + took_ns, answer: Answer::Ok(plain(row)) },
    ]
}

fn trace(steps: u32, duration_ns: u64, events: Vec<Event<Recorded>>) -> Trace {
    let step = |n: u32| StepInfo {
        name: format!("step_{n}"),
        doc: String::new(),
        file: "src/main.rs".into(),
        line: n + 1,
        reads: Vec::new(),
        writes: Vec::new(),
    };
    let slot =
        |n: u32| SlotInfo { name: format!("Slot{n}"), path: format!("app::Slot{n}"), ..SlotInfo::default() };
    let body = || RecordedBody { full_len: 0, kept_len: 0, bytes: plain("") };
    Trace {
        id: RequestId::from_u128(1),
        flow: Arc::new(FlowInfo {
            name: "bench".into(),
            steps: (0..steps).map(step).collect(),
            slots: (0..steps).map(slot).collect(),
            ..FlowInfo::default()
        }),
        class: Class::Default,
        started_unix_ns: 0,
        duration_ns,
        seed: 0,
        build: String::new(),
        kept: Kept::All,
        method: "GET".into(),
        path: "/".into(),
        target: plain("/"),
        version: "HTTP/1.1".into(),
        peer: String::new(),
        request_headers: Vec::new(),
        request_body: body(),
        status: 200,
        response_headers: Vec::new(),
        response_body: body(),
        outcome: Outcome::Done,
        events,
        events_dropped: 0,
        redaction: zerver_trace::Redaction::default(),
        worker: Some(0),
        origin: zerver_trace::Origin::Absent,
        is_undelivered: false,
        recorded_by: RecordedBy::Runtime,
        sealed_by: zerver_trace::SealedBy(None),
    }
}

fn measure(name: &str, mut run: impl FnMut() -> usize) {
    let mut took: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(run());
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took.sort_by(f64::total_cmp);
    println!("{name:<56} {:>8.2} ms   best {:>8.2} ms", took[ROUNDS / 2], took[0]);
}

fn main() {
    println!("two traces of {EVENTS} events each, median of {ROUNDS}");
    let ignored = IgnoredHeaders::default();
    for (name, a, b) in [
        ("2500 steps, each with an effect and a slot, all differ", many_steps(0), many_steps(50)),
        ("one step with 4999 effects, all differ", one_step(0), one_step(50)),
        ("2500 steps, nothing differs", many_steps(0), many_steps(0)),
    ] {
        measure(name, || Diff::of(&a, &b, &ignored).differences.len());
    }
    let one = many_steps(0);
    measure("for comparison: one timeline", || Timeline::of(&one).runs.len());
}
