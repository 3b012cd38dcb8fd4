//! Measures large stores and high rates: `cargo bench -p zerver-tui --bench sources`. Time to the first frame and
//! memory for a store of a million traces, created in a temporary directory; following 20,000 requests per second.
//! Prints results without asserting times.

#![allow(missing_docs, clippy::print_stdout)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use zerver_recorder::Reader;
use zerver_trace::{
    Class, Cursor, Decision, Event, FlowInfo, Kept, Outcome, Query, Recorded, RecordedBody, RecordedBy,
    RequestId, SourceError, StepInfo, Summary, Trace, TraceSource, Value,
};
use zerver_tui::{App, Appearance, Message};

const TRACES: u64 = 1_000_000;
/// Traces created per import.
const CHUNK: u64 = 20_000;
const PER_SECOND: u64 = 20_000;
const SECONDS: u64 = 5;
const SIZE: Size = Size::new(200, 50);

fn main() {
    if let Ok(store) = std::env::var("ZERVER_BENCH_STORE") {
        return over(Path::new(&store));
    }
    following();
    let dir = tempfile::tempdir().unwrap();
    let at = Instant::now();
    for from in (0..TRACES).step_by(CHUNK as usize) {
        zerver_recorder::import(dir.path(), (from..from + CHUNK).map(trace).collect()).unwrap();
    }
    println!("store of {TRACES} traces made in {:.1?}", at.elapsed());
    // A separate process, so that memory for creating the store does not count.
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap());
        assert!(child.env("ZERVER_BENCH_STORE", dir.path()).status().unwrap().success());
    }
}

/// Performs a complete start without a terminal.
fn over(store: &Path) {
    let at = Instant::now();
    let source: Arc<dyn TraceSource> = Arc::new(Reader::open(store).unwrap());
    let opened = at.elapsed();
    let (sender, receiver) = zerver_tui::channel();
    zerver_tui::follow_store(source, sender);
    let mut app = App::new(Appearance::default(), SIZE, 0);
    let (mut first, mut longest, mut is_whole) = (None, Duration::ZERO, false);
    while !is_whole {
        let mut has_requests = false;
        let messages = receiver.next_batch().unwrap();
        let turn = Instant::now();
        for message in messages {
            has_requests |=
                matches!(&message, Message::OlderRequests { requests, .. } if !requests.is_empty());
            is_whole |= matches!(&message, Message::OlderRequests { is_last: true, .. });
            let _ = app.update(message);
        }
        draw(&app);
        if has_requests && first.is_none() {
            first = Some(at.elapsed());
        } else if first.is_some() {
            longest = longest.max(turn.elapsed());
        }
    }
    println!(
        "over the store: opened {opened:.1?}, first frame {:.1?}, all {:.1?}, keys waited {longest:.1?} at most, {} MiB",
        first.unwrap_or_default(),
        at.elapsed(),
        resident_kib() / 1024
    );
}

fn following() {
    let (sender, receiver) = zerver_tui::channel();
    let began = Instant::now();
    zerver_tui::follow_store(Arc::new(Stream { began }), sender);
    let mut app = App::new(Appearance::default(), SIZE, 0);
    let (mut seen, mut frames, mut longest, mut behind) = (0, 0u32, Duration::ZERO, 0);
    let mut busy = Duration::ZERO;
    while began.elapsed() < Duration::from_secs(SECONDS) {
        let messages = receiver.next_batch().unwrap();
        let turn = Instant::now();
        for message in messages {
            if let Message::NewRequests(requests) = &message {
                seen += requests.len() as u64;
            }
            let _ = app.update(message);
        }
        if app.take_changed() {
            draw(&app);
            frames += 1;
        }
        (busy, longest) = (busy + turn.elapsed(), longest.max(turn.elapsed()));
        behind = due(began).saturating_sub(seen);
    }
    println!(
        "following {PER_SECOND}/s for {SECONDS} s: {seen} seen, {behind} behind at the end, {frames} frames, keys waited \
         {longest:.1?} at most, busy {} % of the time",
        busy.as_millis() * 100 / u128::from(SECONDS * 1_000)
    );
}

fn draw(app: &App) {
    app.draw(&mut Buffer::empty(Rect::new(0, 0, SIZE.width, SIZE.height)));
}

/// Returns the number of requests since the start.
fn due(began: Instant) -> u64 {
    began.elapsed().as_micros() as u64 * PER_SECOND / 1_000_000
}

/// Source that produces requests at a fixed rate.
struct Stream {
    began: Instant,
}

impl TraceSource for Stream {
    fn list(&self, _: &Query) -> Result<Vec<Summary>, SourceError> {
        Ok(Vec::new())
    }

    fn load(&self, _: RequestId) -> Result<Option<Trace>, SourceError> {
        Ok(None)
    }

    fn end(&self) -> Result<Cursor, SourceError> {
        Ok(Cursor { block: 0, seen: 0 })
    }

    fn list_before(&self, _: Cursor, _: usize) -> Result<(Vec<Summary>, Option<Cursor>), SourceError> {
        Ok((Vec::new(), None))
    }

    fn list_since(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Summary>, Cursor), SourceError> {
        let from = cursor.block;
        let to = due(self.began).min(from + limit as u64);
        Ok(((from..to).map(|n| trace(n).summary()).collect(), Cursor { block: to, seen: 0 }))
    }
}

fn trace(n: u64) -> Trace {
    let body = || RecordedBody { full_len: 0, kept_len: 0, bytes: plain("") };
    let step = StepInfo {
        name: "render".into(),
        doc: String::new(),
        file: "src/main.rs".into(),
        line: 7,
        reads: vec![],
        writes: vec![],
    };
    let duration_ns = 100_000 + n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 10_000_000;
    Trace {
        id: RequestId::from_u128(u128::from(n + 1) << 64),
        flow: Arc::new(FlowInfo {
            name: format!("flow-{}", n % 20),
            method: "GET".into(),
            pattern: "/v1/todos/{id}".into(),
            class: Class::Interactive,
            slots: vec![],
            steps: vec![step],
        }),
        class: Class::Interactive,
        started_unix_ns: 1_800_000_000_000_000_000 + n * 50_000,
        duration_ns,
        seed: n,
        build: String::new(),
        kept: Kept::All,
        method: "GET".into(),
        path: format!("/v1/todos/{}", n % 50_000),
        target: plain(&format!("/v1/todos/{}", n % 50_000)),
        version: "HTTP/1.1".into(),
        peer: String::new(),
        request_headers: vec![],
        request_body: body(),
        status: [200, 200, 200, 404, 503][(n % 5) as usize],
        response_headers: vec![],
        response_body: body(),
        outcome: Outcome::Done,
        events: vec![Event::StepRan {
            step: 0,
            ready_ns: 1_000,
            at_ns: 2_000,
            cpu_ns: duration_ns / 2,
            decision: Decision::Done,
        }],
        events_dropped: 0,
        redaction: zerver_trace::Redaction::default(),
        worker: Some(0),
        origin: zerver_trace::Origin::Absent,
        is_undelivered: false,
        recorded_by: RecordedBy::Runtime,
        sealed_by: zerver_trace::SealedBy(None),
    }
}

fn plain(text: &str) -> Recorded {
    Recorded::Plain { value: Value::from_serialize(&text).unwrap(), summary: None }
}

/// Returns the resident memory of this process, or 0 if unknown.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
