//! Hand-built traces, and the parts that they are built from.

use std::sync::Arc;

use serde::Serialize;
use zerver_trace::{
    Answer, Class, Decision, EffectError, EffectErrorKind, Event, FailureInfo, FailureKind, FlowInfo, Header,
    Kept, LogLevel, Outcome, QueueReason, ReadInfo, Recorded, RecordedBody, RecordedBy, RequestId, SlotInfo,
    StepInfo, Thread, Trace, Value, WriteInfo,
};

/// A microsecond, in nanoseconds.
pub const US: u64 = 1_000;

/// Returns a value without a summary.
pub fn plain(value: impl Serialize) -> Recorded {
    Recorded::Plain { value: Value::from_serialize(&value).unwrap(), summary: None }
}

/// Returns a value with a summary.
pub fn summed(value: impl Serialize, summary: &str) -> Recorded {
    Recorded::Plain { value: Value::from_serialize(&value).unwrap(), summary: Some(summary.to_owned()) }
}

/// Returns bytes as they were received or sent.
pub fn wire(bytes: &[u8]) -> Recorded {
    Recorded::Plain { value: Value::from_bytes(bytes).unwrap(), summary: None }
}

/// Returns an encrypted value.
pub fn sealed() -> Recorded {
    Recorded::Sealed { hash: [0x5e; 16], sealed: b"ciphertext".to_vec(), masked: None }
}

/// Creates a flow. Step N has the name, reads and writes of `steps[N]`, and starts at line 10 N + 10.
pub fn flow(slots: &[(&str, bool)], steps: &[(&str, &[u16], &[u16])]) -> FlowInfo {
    FlowInfo {
        name: "todos-item".into(),
        method: "GET".into(),
        pattern: "/v1/todos/{id}".into(),
        class: Class::Interactive,
        slots: slots
            .iter()
            .map(|(name, secret)| SlotInfo {
                name: (*name).into(),
                path: format!("todos::{name}"),
                is_secret: *secret,
                is_indexed: false,
            })
            .collect(),
        steps: steps
            .iter()
            .enumerate()
            .map(|(at, (name, reads, writes))| StepInfo {
                name: (*name).into(),
                doc: format!("What {name} is for."),
                file: "src/todos.rs".into(),
                line: 10 * at as u32 + 10,
                reads: reads.iter().map(|slot| ReadInfo { slot: *slot, is_optional: false }).collect(),
                writes: writes.iter().map(|slot| WriteInfo { slot: *slot, is_optional: false }).collect(),
            })
            .collect(),
    }
}

/// Creates a trace of a request that succeeded.
pub fn trace(flow: FlowInfo, duration_ns: u64, events: Vec<Event<Recorded>>) -> Trace {
    Trace {
        id: RequestId::from_u128(0x019a_a4c2_1f3b_7abc_8def_0123_4567_89ab),
        flow: Arc::new(flow),
        class: Class::Interactive,
        started_unix_ns: 1_795_344_181_123_456_789,
        duration_ns,
        seed: 7,
        build: "todos 0.1.0".into(),
        kept: Kept::All,
        method: "GET".into(),
        path: "/v1/todos/456".into(),
        target: wire(b"/v1/todos/456?full=1"),
        version: "HTTP/1.1".into(),
        peer: "127.0.0.1:50000".into(),
        request_headers: vec![
            Header { name: "host".into(), value: wire(b"localhost:3000") },
            Header { name: "authorization".into(), value: sealed() },
        ],
        request_body: RecordedBody { full_len: 0, kept_len: 0, bytes: wire(b"") },
        status: 200,
        response_headers: vec![Header { name: "content-type".into(), value: wire(b"application/json") }],
        response_body: RecordedBody { full_len: 12, kept_len: 12, bytes: wire(b"{\"id\":  456}") },
        outcome: Outcome::Done,
        events,
        events_dropped: 0,
        redaction: zerver_trace::Redaction { key: Some([1; 8]), texts: Vec::new() },
        worker: None,
        origin: zerver_trace::Origin::Absent,
        is_undelivered: false,
        recorded_by: RecordedBy::Runtime,
        sealed_by: zerver_trace::SealedBy(None),
    }
}

/// Creates the event for a run of a step, with times in microseconds.
pub fn ran(step: u16, ready: u64, at: u64, cpu: u64, decision: Decision) -> Event<Recorded> {
    Event::StepRan { step, ready_ns: ready * US, at_ns: at * US, cpu_ns: cpu * US, decision }
}

/// Creates the event for a write of a slot, with its time in microseconds.
pub fn wrote(step: u16, slot: u16, at: u64, value: Recorded) -> Event<Recorded> {
    Event::SlotWritten { step, slot, at_ns: at * US, value }
}

/// Creates the event for a requested effect, with its time in microseconds.
pub fn asked(
    call: u32,
    step: u16,
    at: u64,
    kind: &'static str,
    args: Recorded,
    attempt: u16,
) -> Event<Recorded> {
    Event::EffectRequested { call, step, at_ns: at * US, kind: kind.into(), args, attempt, timeout_ns: None }
}

/// Creates the event for the answer of an effect, with its time in microseconds.
pub fn answered(call: u32, at: u64, answer: Answer<Recorded>) -> Event<Recorded> {
    Event::EffectCompleted { call, at_ns: at * US, answer }
}

#[derive(Serialize)]
struct Claims {
    sub: &'static str,
    roles: [&'static str; 1],
}

#[derive(Serialize)]
struct Todo {
    id: u64,
    title: &'static str,
    done: bool,
}

fn item_flow() -> FlowInfo {
    flow(
        &[("AuthHeader", true), ("Claims", false), ("Todo", false)],
        &[
            ("parse_auth", &[], &[0]),
            ("lookup_user", &[0], &[1]),
            ("verify_roles", &[1], &[]),
            ("load_todo", &[], &[2]),
            ("render_todo", &[2], &[]),
        ],
    )
}

/// A request of 5.4 ms, of which fetching a user takes 2.18 ms and loading a todo 2.68 ms.
pub fn slow() -> Trace {
    use Decision::{Continue, Done, Need};
    let claims = Claims { sub: "user-123", roles: ["admin"] };
    let todo = Todo { id: 456, title: "Buy milk", done: false };
    trace(
        item_flow(),
        5_400 * US,
        vec![
            Event::BodyReceived { at_ns: 20 * US },
            ran(0, 20, 50, 100, Continue),
            wrote(0, 0, 150, sealed()),
            ran(1, 150, 150, 20, Need),
            asked(0, 1, 170, "http", summed(("GET", "https://idp"), "GET idp.example.com/verify"), 1),
            answered(0, 2_350, Answer::Ok(summed(200, "200"))),
            wrote(1, 1, 2_350, plain(claims)),
            ran(2, 2_350, 2_355, 45, Continue),
            ran(3, 2_400, 2_400, 20, Need),
            asked(1, 3, 2_420, "kv", summed(("todo", 456), "get todo:456"), 1),
            answered(1, 5_100, Answer::Ok(summed(&todo, "found"))),
            wrote(3, 2, 5_100, plain(&todo)),
            ran(4, 5_100, 5_100, 280, Done),
        ],
    )
}

/// The same request, but the todo is not found, and fetching the user takes two attempts.
pub fn failed() -> Trace {
    use Decision::{Continue, Need};
    let ask = || summed(("GET", "https://idp"), "GET idp.example.com/verify");
    let mut trace = trace(
        item_flow(),
        900 * US,
        vec![
            Event::BodyReceived { at_ns: 0 },
            ran(0, 0, 10, 10, Continue),
            wrote(0, 0, 20, sealed()),
            ran(1, 20, 20, 5, Need),
            asked(0, 1, 25, "http", ask(), 1),
            answered(0, 325, Answer::Err(EffectError::new(EffectErrorKind::Timeout, "after 300 ms"))),
            asked(1, 1, 425, "http", ask(), 2),
            answered(1, 625, Answer::Ok(summed(200, "200"))),
            wrote(1, 1, 625, plain(Claims { sub: "user-123", roles: ["admin"] })),
            ran(2, 625, 625, 5, Continue),
            ran(3, 630, 630, 5, Need),
            asked(2, 3, 635, "kv", summed(("todo", 456), "get todo:456"), 1),
            answered(2, 885, Answer::Ok(summed(None::<()>, "not found"))),
        ],
    );
    trace.status = 404;
    trace.outcome = Outcome::Failed(FailureInfo {
        kind: FailureKind::NotFound,
        what: "todo".into(),
        key: "456".into(),
        message: String::new(),
        step: Some(3),
        call: Some(2),
        causes: vec!["the store has no todo:456".into(), "it was deleted".into()],
    });
    trace
}

/// The same request with a pause before the second attempt, which then waits for a permit.
pub fn held() -> Trace {
    let mut trace = failed();
    let held = |at: u64, by| Event::EffectQueued { call: 1, at_ns: at * US, reason: by };
    let again = trace
        .events
        .iter()
        .position(|event| matches!(event, Event::EffectRequested { call: 1, .. }))
        .unwrap();
    let Event::EffectRequested { at_ns, .. } = &mut trace.events[again] else { unreachable!() };
    *at_ns = 325 * US;
    let events = [
        held(325, QueueReason::RetryDelay),
        held(400, QueueReason::Target),
        Event::EffectStarted { call: 1, at_ns: 425 * US },
    ];
    trace.events.splice(again + 1..=again, events);
    trace
}

/// An event for a completion that waited while the worker ran a step of another flow.
pub fn lay_ready(call: u32, ready: u64, at: u64) -> Event<Recorded> {
    let (ready_ns, at_ns) = (ready * US, at * US);
    let (on, flow, step) = (Some(Thread::Worker(0)), "report".into(), "spin".into());
    Event::CompletionDelayed { call, ready_ns, at_ns, thread: on, flow, step }
}

/// The request of 5.4 ms, but the todo was ready after 0.08 ms and the worker was busy.
pub fn late() -> Trace {
    let mut trace = slow();
    let at = trace
        .events
        .iter()
        .position(|event| matches!(event, Event::EffectCompleted { call: 1, .. }))
        .unwrap();
    trace.events.insert(at, lay_ready(1, 2_500, 5_099));
    trace
}

/// A report whose figures wait for the rate limit of their target, in milliseconds.
pub fn rate_limited(wait_ms: u64) -> Trace {
    let mut trace = Trace { id: report(wait_ms).id, ..report(0) };
    let wait_ns = wait_ms * 1_000 * US;
    trace.duration_ns += wait_ns;
    let is_figures =
        |event: &Event<Recorded>| matches!(event, Event::EffectRequested { kind, .. } if &**kind == "http");
    let Some(asked) = trace.events.iter().position(is_figures) else { unreachable!() };
    let Event::EffectRequested { call: figures, at_ns: asked_ns, .. } = trace.events[asked] else {
        unreachable!()
    };
    let is_answer =
        |event: &Event<Recorded>| matches!(event, Event::EffectCompleted { call, .. } if *call == figures);
    for event in trace.events.iter_mut().skip_while(|event| !is_answer(event)) {
        match event {
            Event::EffectCompleted { at_ns, .. } | Event::SlotWritten { at_ns, .. } => *at_ns += wait_ns,
            Event::StepRan { ready_ns, at_ns, .. } => {
                *ready_ns += wait_ns;
                *at_ns += wait_ns;
            }
            _ => {}
        }
    }
    let queued = Event::EffectQueued { call: figures, at_ns: asked_ns, reason: QueueReason::Rate };
    let started = Event::EffectStarted { call: figures, at_ns: asked_ns + wait_ns };
    trace.events.splice(asked + 1..asked + 1, [queued, started]);
    trace
}

/// A report whose figures take as long as its query requests, in milliseconds.
pub fn report(latency_ms: u64) -> Trace {
    use Decision::{Continue, Done, Need};
    #[derive(Serialize)]
    struct Params {
        latency_ms: u64,
    }
    #[derive(Serialize)]
    struct Get {
        method: &'static str,
        url: String,
    }
    let slots = [("ReportParams", false), ("Figures", false), ("Tally", false)];
    let steps: [(_, &[u16], &[u16]); 3] =
        [("parse_report", &[], &[0]), ("gather", &[0], &[1, 2]), ("render_report", &[1, 2], &[])];
    let mut flow = flow(&slots, &steps);
    (flow.name, flow.pattern) = ("report".into(), "/reports/todos".into());
    let url = format!("http://figures.internal/figures?latency_ms={latency_ms}");
    let answered_at = 400 + latency_ms * 1_000;
    let reply = format!("{{\"visitors\":4711,\"took_ms\":{latency_ms}}}");
    let mut trace = trace(
        flow,
        (answered_at + 30) * US,
        vec![
            Event::BodyReceived { at_ns: 10 * US },
            ran(0, 10, 12, 8, Continue),
            wrote(0, 0, 20, plain(Params { latency_ms })),
            ran(1, 20, 20, 10, Need),
            asked(0, 1, 30, "http", summed(Get { method: "GET", url }, "GET figures.internal/figures?.."), 1),
            asked(1, 1, 30, "kv", summed("todo", "list todo"), 1),
            answered(1, 40, Answer::Ok(summed([1, 2], "2 entries"))),
            wrote(1, 2, 40, plain((1, 1))),
            answered(0, answered_at, Answer::Ok(summed(&reply, "200"))),
            wrote(1, 1, answered_at, plain(4_711)),
            ran(2, answered_at, answered_at, 25, Done),
        ],
    );
    trace.id = RequestId::from_u128(trace.id.as_u128() + (u128::from(latency_ms) << 96));
    trace.path = "/reports/todos".into();
    trace.target = wire(format!("/reports/todos?latency_ms={latency_ms}").as_bytes());
    trace
}

/// A request of an axum service that a layer recorded, with a span, a query and a line. What the handler did besides is unknown.
pub fn of_layer() -> Trace {
    let handler = StepInfo {
        name: "handler".into(),
        doc: String::new(),
        file: String::new(),
        line: 0,
        reads: Vec::new(),
        writes: Vec::new(),
    };
    let flow = FlowInfo {
        name: "get-todos-id".into(),
        method: "GET".into(),
        pattern: "/todos/{id}".into(),
        class: Class::Default,
        slots: Vec::new(),
        steps: vec![handler],
    };
    let logged = Event::StepLogged {
        step: 0,
        at_ns: 900 * US,
        level: LogLevel::Warn,
        target: "todos".into(),
        line: plain("no such todo id=456"),
    };
    let events = vec![
        asked(0, 0, 100, "span", summed("load", "load"), 1),
        asked(1, 0, 200, "sql", summed("select", "SELECT title FROM todos"), 1),
        answered(1, 500, Answer::Ok(summed(0, "0 rows"))),
        answered(0, 800, Answer::Ok(plain(()))),
        logged,
    ];
    Trace {
        class: Class::Default,
        seed: 0,
        status: 404,
        recorded_by: RecordedBy::Layer,
        ..trace(flow, 1_000 * US, events)
    }
}
