//! Measures the screens: `cargo bench -p zerver-tui`. Frames of 200x50 of the list, and of a timeline and a diff with
//! 10,000 events each; loading, filtering, sorting and scrolling a list of a million requests, and its memory. Prints
//! results without asserting times.

#![allow(missing_docs, clippy::print_stdout)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use serde::Serialize;
use zerver_trace::{
    Answer, Class, Decision, Event, FlowInfo, Kept, Outcome, Recorded, RecordedBody, RecordedBy, RequestId,
    SlotInfo, StepInfo, Summary, Trace, Value,
};
use zerver_tui::{App, Appearance, Command, LoadedTrace, Message};

const REQUESTS: u64 = 1_000_000;
const PAGE: u64 = 4_096;
const EVENTS: u32 = 10_000;
const ROUNDS: usize = 101;
const COLUMNS: u16 = 200;
const ROWS: u16 = 50;

fn main() {
    let before = resident_kib();
    let mut app = App::new(Appearance::default(), Size::new(COLUMNS, ROWS), 0);
    let started = Instant::now();
    let mut slowest = Duration::ZERO;
    for page in 0..REQUESTS.div_ceil(PAGE) {
        let from = page * PAGE;
        let to = (from + PAGE).min(REQUESTS);
        let requests: Vec<Summary> = (from..to).map(request).collect();
        let at = Instant::now();
        let _ = app.update(Message::OlderRequests { requests, is_last: to == REQUESTS });
        slowest = slowest.max(at.elapsed());
    }
    println!(
        "list of {REQUESTS}: loaded in {:.0?}, a page of {PAGE} in {slowest:.1?} at most",
        started.elapsed()
    );
    println!("memory for it: {} MiB", resident_kib().saturating_sub(before) / 1024);
    frames("list", &app);
    for (name, keys) in [
        ("jump to the end", "G"),
        ("jump to the top", "g"),
        ("sort by another column", "s"),
        ("and again", "s"),
    ] {
        press(&mut app, name, keys);
    }
    type_text(&mut app, "/");
    for c in "status:5xx".chars() {
        press(&mut app, &format!("filter, with {c:?} typed"), &c.to_string());
    }
    frames("filtered list", &app);

    let (a, b) = (many_steps(1, 0), many_steps(2, 50));
    let ids = [a.id, b.id];
    let mut app = App::new(Appearance::default(), Size::new(COLUMNS, ROWS), 0);
    let requests = [&a, &b].map(Trace::summary).to_vec();
    let _ = app.update(Message::OlderRequests { requests, is_last: true });
    let stories = [a, b].map(|trace| Arc::new(LoadedTrace::new(trace)));
    type_text(&mut app, "djd");
    let at = Instant::now();
    for (id, story) in ids.iter().zip(&stories) {
        let _ = app.update(Message::Loaded(*id, Ok(Some(Arc::clone(story)))));
    }
    println!("diff of two of {EVENTS} events: {:.1?}", at.elapsed());
    frames("diff", &app);
    let at = Instant::now();
    type_text(&mut app, "1g\r");
    println!("timeline of {EVENTS} events opened: {:.1?}", at.elapsed());
    frames("timeline", &app);
}

/// Measures the time to the first correct frame and to completion, and the longest wait of a key.
fn press(app: &mut App, what: &str, keys: &str) {
    let at = Instant::now();
    let mut more = type_text(app, keys);
    let first = at.elapsed();
    let mut longest = first;
    while more {
        let turn = Instant::now();
        more = app.update(Message::Continue).contains(&Command::Continue);
        longest = longest.max(turn.elapsed());
    }
    println!("{what}: first screen {first:.1?}, all {:.1?}, turns of {longest:.1?} at most", at.elapsed());
}

/// Types keys. Returns true if work remains.
fn type_text(app: &mut App, keys: &str) -> bool {
    let mut more = false;
    for c in keys.chars() {
        let code = if c == '\r' { KeyCode::Enter } else { KeyCode::Char(c) };
        let commands = app.update(Message::Input(Input::Key(KeyEvent::new(code, KeyModifiers::NONE))));
        assert!(!commands.contains(&Command::Quit));
        more |= commands.contains(&Command::Continue);
    }
    more
}

fn frames(what: &str, app: &App) {
    let mut buffer = Buffer::empty(Rect::new(0, 0, COLUMNS, ROWS));
    let mut took: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            buffer.reset();
            let at = Instant::now();
            app.draw(&mut buffer);
            at.elapsed()
        })
        .collect();
    took.sort_unstable();
    println!("frame of the {what}: {:.1?} (median), {:.1?} (slowest)", took[ROUNDS / 2], took[ROUNDS - 1]);
}

fn request(n: u64) -> Summary {
    Summary {
        id: RequestId::from_u128(u128::from(REQUESTS - n) << 64),
        flow: format!("flow-{}", n % 20),
        method: if n.is_multiple_of(3) { "POST".into() } else { "GET".into() },
        path: format!("/v1/todos/{}", n % 50_000),
        status: [200, 200, 200, 404, 503][(n % 5) as usize],
        duration_ns: 100_000 + n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 10_000_000,
        class: Class::Interactive,
        started_unix_ns: (REQUESTS - n) * 1_000_000,
        outcome: "done".into(),
        is_failed: n % 5 == 4,
        worker: Some(0),
        authority: String::new(),
    }
}

#[derive(Serialize)]
struct Row {
    id: u32,
    title: String,
}

fn plain(value: impl Serialize) -> Recorded {
    Recorded::Plain { value: Value::from_serialize(&value).unwrap(), summary: None }
}

/// Four events per step: step, request, answer, write.
fn many_steps(id: u128, extra_ns: u64) -> Trace {
    let steps = (EVENTS / 4) as u16;
    let mut events = Vec::new();
    for step in 0..steps {
        let at_ns = u64::from(step) * (1_000 + extra_ns);
        let (call, asked_ns) = (step.into(), at_ns + 100);
        let (kind, args) = ("sql".into(), plain(("select", step)));
        events.push(Event::StepRan { step, ready_ns: at_ns, at_ns, cpu_ns: 90, decision: Decision::Need });
        events.push(Event::EffectRequested {
            call,
            step,
            at_ns: asked_ns,
            kind,
            args,
            attempt: 1,
            timeout_ns: None,
        });
        let answered_ns = asked_ns + 800 + extra_ns;
        events.push(Event::EffectCompleted { call, at_ns: answered_ns, answer: Answer::Ok(plain(step)) });
        let row = Row { id: call, title: format!("todo {step} of {extra_ns}") };
        events.push(Event::SlotWritten { step, slot: step, at_ns: answered_ns, value: plain(row) });
    }
    let body = || RecordedBody { full_len: 0, kept_len: 0, bytes: plain("") };
    let slot = |n: u16| SlotInfo { name: format!("Slot{n}"), path: String::new(), ..SlotInfo::default() };
    let step = |n: u16| StepInfo {
        name: format!("step_{n}"),
        doc: String::new(),
        file: "src/main.rs".into(),
        line: u32::from(n) + 1,
        reads: vec![],
        writes: vec![],
    };
    Trace {
        id: RequestId::from_u128(id << 64),
        flow: Arc::new(FlowInfo {
            name: "many".into(),
            method: "GET".into(),
            pattern: "/many".into(),
            class: Class::Interactive,
            slots: (0..steps).map(slot).collect(),
            steps: (0..steps).map(step).collect(),
        }),
        class: Class::Interactive,
        started_unix_ns: 1_000_000_000,
        duration_ns: u64::from(steps) * (1_000 + extra_ns),
        seed: 0,
        build: String::new(),
        kept: Kept::All,
        method: "GET".into(),
        path: "/many".into(),
        target: plain("/many"),
        version: "HTTP/1.1".into(),
        peer: String::new(),
        request_headers: vec![],
        request_body: body(),
        status: 200,
        response_headers: vec![],
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

/// Returns the resident memory of this process, or 0 if unknown.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
