//! Measures the cost of recording: CPU time of the writer and disk space per trace, the time to hand over a trace, and
//! the response times of a large store.
//!
//! `cargo bench -p zerver-recorder`. A number after `--` sets the number of traces in the large store.
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use zerver_recorder::{Reader, Recorder, RecorderOptions, RecordingPolicy, TailPolicy};
use zerver_trace::{
    Answer, Body, Capture, Class, Decision, Event, FlowInfo, Header, Message, MessageInfo, MessagePart, Name,
    Outcome, Query, RequestId, RequestInfo, ResponseInfo, SharedValue, SlotInfo, StepInfo, TraceSelector,
    TypedValue,
};

const STEPS: [&str; 6] =
    ["parse_auth", "lookup_user", "verify_roles", "parse_id", "load_todo", "render_todo"];
const SLOTS: [&str; 5] = ["AuthHeader", "Claims", "Roles", "TodoId", "Todo"];

#[derive(Serialize)]
struct Claims {
    sub: String,
    roles: Vec<String>,
    expires: u64,
}

#[derive(Serialize)]
struct Todo {
    id: u64,
    title: String,
    done: bool,
}

#[derive(Serialize)]
struct Get {
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
}

struct FixedMessage(MessageInfo);

impl Message for FixedMessage {
    fn visit_parts(&self, body_limit: usize, to: &mut dyn FnMut(MessagePart<'_>)) {
        self.0.visit_parts(body_limit, to);
    }

    fn buffered_bytes(&self) -> usize {
        self.0.buffered_bytes()
    }
}

fn datum<T: Serialize + Send + Sync + 'static>(value: T) -> SharedValue {
    Arc::new(TypedValue(value))
}

fn headers(pairs: &[(&str, &str)]) -> Vec<Header> {
    let header =
        |(name, value): &(&str, &str)| Header { name: (*name).to_owned(), value: value.as_bytes().to_vec() };
    pairs.iter().map(header).collect()
}

fn flow(secret: bool) -> Arc<FlowInfo> {
    let step = |(line, name): (usize, &&str)| StepInfo {
        name: (*name).to_owned(),
        doc: format!("Does what {name} says."),
        file: "src/main.rs".to_owned(),
        line: 10 + line as u32,
        reads: vec![],
        writes: vec![],
    };
    let slot = |name: &&str| SlotInfo {
        name: (*name).to_owned(),
        path: format!("todos::{name}"),
        is_secret: secret && *name == "AuthHeader",
    };
    Arc::new(FlowInfo {
        name: "todos-item".to_owned(),
        method: "GET".to_owned(),
        pattern: "/v1/todos/{id}".to_owned(),
        class: Class::Interactive,
        slots: SLOTS.iter().map(slot).collect(),
        steps: STEPS.iter().enumerate().map(step).collect(),
    })
}

fn capture(n: u64, flow: &Arc<FlowInfo>, secret: bool) -> Box<Capture> {
    let now = 1_800_000_000_000_000_000 + n * 20_000;
    let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let id =
        u128::from(now / 1_000_000) << 80 | 7 << 76 | 2 << 62 | u128::from(noise & 0x3fff_ffff_ffff_ffff);
    let token =
        format!("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyLTEyMyJ9.{:016x}{:016x}", n % 50, n % 50 * 77);
    let auth = if secret { ("authorization", token.as_str()) } else { ("accept-language", "en") };
    let todo = || Todo { id: n % 1000, title: format!("Buy milk number {n}"), done: n.is_multiple_of(2) };
    let body =
        format!("{{\"id\":{},\"title\":\"Buy milk number {n}\",\"done\":{}}}", n % 1000, n.is_multiple_of(2));
    let mut events = vec![Event::BodyReceived { at_ns: 900 }];
    for step in 0..6u16 {
        let at_ns = 1_000 + u64::from(step) * 800 + noise % 97;
        let decision = match step {
            1 | 4 => Decision::Need,
            5 => Decision::Done,
            _ => Decision::Continue,
        };
        events.push(Event::StepRan { step, ready_ns: at_ns - 70, at_ns, cpu_ns: 200 + noise % 51, decision });
        let (call, answer) = match step {
            1 => (
                0,
                datum(Claims { sub: format!("user-{}", n % 50), roles: vec!["admin".into()], expires: now }),
            ),
            4 => (1, datum(todo())),
            _ => continue,
        };
        let args = if call == 0 {
            let headers = if secret { vec![("authorization".to_owned(), token.clone())] } else { vec![] };
            datum(Get { method: "GET", url: "https://idp.example.com/verify".to_owned(), headers })
        } else {
            datum(("todo", n % 1000))
        };
        let kind = Name::from(if call == 0 { "http" } else { "kv" });
        events.push(Event::EffectRequested {
            call,
            step,
            at_ns,
            kind,
            args,
            attempt: 1,
            timeout_ns: Some(300_000_000),
        });
        events.push(Event::EffectCompleted {
            call,
            at_ns: at_ns + 200 + noise % 31,
            answer: Answer::Ok(answer),
        });
    }
    let slots: [SharedValue; 5] = [
        datum(token.clone()),
        datum(Claims { sub: format!("user-{}", n % 50), roles: vec!["admin".into()], expires: now }),
        datum(vec!["admin".to_owned()]),
        datum(n % 1000),
        datum(todo()),
    ];
    for (slot, value) in slots.into_iter().enumerate().filter(|(slot, _)| secret || *slot > 0) {
        events.push(Event::SlotWritten {
            step: slot as u16,
            slot: slot as u16,
            at_ns: 2_000 + noise % 99,
            value,
        });
    }
    Box::new(Capture {
        id: RequestId::from_u128(id),
        flow: Arc::clone(flow),
        class: Class::Interactive,
        started_unix_ns: now,
        duration_ns: 20_000 + noise % 9_973,
        seed: noise,
        request: Arc::new(FixedMessage(MessageInfo::Request(RequestInfo {
            method: "GET".to_owned(),
            target: format!("/v1/todos/{}?page=2", n % 1000),
            version: "HTTP/1.1".to_owned(),
            peer: format!("127.0.0.1:{}", 40_000 + n % 64),
            headers: headers(&[
                ("host", "localhost:8080"),
                ("accept", "*/*"),
                ("user-agent", "wrk/4.2"),
                auth,
            ]),
            body: Body::default(),
            origin: String::new(),
        }))),
        response: Some(Arc::new(FixedMessage(MessageInfo::Response(ResponseInfo {
            status: 200,
            headers: headers(&[("content-type", "application/json"), ("content-length", "52")]),
            body: Body { full_len: body.len() as u64, bytes: body.into_bytes() },
        })))),
        status: 200,
        outcome: Outcome::Done,
        events,
        events_dropped: 0,
        is_recording_requested: false,
        worker: Some(0),
        is_undelivered: false,
    })
}

/// CPU time of a thread, in nanoseconds.
fn cpu_ns(of: &str) -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a Linux kernel").flatten();
    tasks
        .filter(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == of))
        .filter_map(|task| {
            let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            stat.split(' ').next()?.parse::<u64>().ok()
        })
        .sum()
}

fn record(name: &str, count: u64, secret: bool, policy: RecordingPolicy) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let options =
        RecorderOptions { policy, max_age: None, max_bytes: None, ..RecorderOptions::new(dir.path()) };
    let recorder = Recorder::open(options).expect("a new store");
    let (sink, flow) = (recorder.sink(), flow(secret));
    let (mut handing_ns, mut writing_ns) = (0, 0);
    // The number of requests in 50 ms at 80,000 per second.
    for chunk in 0..count / 4_000 {
        let captures: Vec<_> =
            (chunk * 4_000..(chunk + 1) * 4_000).map(|n| capture(n, &flow, secret)).collect();
        let before = cpu_ns("zerver-recorder");
        let began = Instant::now();
        captures.into_iter().for_each(|capture| sink.accept(capture));
        handing_ns += began.elapsed().as_nanos();
        recorder.flush();
        writing_ns += cpu_ns("zerver-recorder") - before;
    }
    let status = recorder.close();
    let stored = Reader::open(dir.path()).expect("a store").counts().expect("counts").recorded;
    println!(
        "{name:<28} writer {:5.2} us/trace   hand-off {:4} ns   {:4} bytes/trace   {:5} traces/commit   kept {stored}, \
         dropped {}",
        writing_ns as f64 / count as f64 / 1000.0,
        handing_ns / u128::from(count),
        status.bytes_on_disk / stored.max(1),
        stored / status.commits.max(1),
        status.dropped,
    );
    dir
}

fn timed<T>(name: &str, f: impl Fn() -> T) {
    let runs: Vec<_> = (0..7)
        .map(|_| {
            let began = Instant::now();
            f();
            began.elapsed()
        })
        .collect();
    println!("  {name:<32} {:8.2} ms", runs.iter().min().map_or(0.0, |run| run.as_secs_f64() * 1000.0));
}

fn main() {
    let large = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(1_000_000);
    record("all, no secrets", 100_000, false, RecordingPolicy::All);
    record("all, bearer token", 100_000, true, RecordingPolicy::All);
    record("tail", 100_000, true, RecordingPolicy::Tail(TailPolicy::default()));
    let dir = record("large", large, false, RecordingPolicy::All);
    timed("open", || Reader::open(dir.path()).expect("a store"));
    let reader = Reader::open(dir.path()).expect("a store");
    let query = |limit| Query { limit, ..Query::default() };
    timed("list, 50 newest", || reader.list(&query(Some(50))).expect("a list"));
    let failed = Query { only_failed: true, ..Query::default() };
    timed("list, failed (none)", || reader.list(&failed).expect("a list"));
    timed("list, all", || reader.list(&query(None)).expect("a list"));
    let middle = capture(large / 2, &flow(false), false).id;
    let find = |text: &str| text.parse::<TraceSelector>().expect("a name");
    timed("find by id", || reader.find(&find(&middle.to_string())).expect("a trace"));
    timed("find @slowest", || reader.find(&find("@slowest")).expect("a trace"));
    timed("find, not there", || reader.find(&find("ffffffff")).expect_err("no trace"));
    drop(reader);
    timed("open for writing", || {
        Recorder::open(RecorderOptions { max_age: None, max_bytes: None, ..RecorderOptions::new(dir.path()) })
            .expect("a store")
            .status()
    });
}
