//! Sample traces and captures for tests.

use std::sync::Arc;

use serde::Serialize;
use zerver_trace::{
    Answer, Body, Capture, Class, Decision, Event, FlowInfo, Header, Kept, Message, MessageInfo, MessagePart,
    Name, Origin, Outcome, Recorded, RecordedBody, RecordedBy, RequestId, RequestInfo, ResponseInfo,
    SharedValue, SlotInfo, StepInfo, Trace, TypedValue, Value,
};

/// Start time of the first sample, in nanoseconds since the Unix epoch.
pub(crate) const START_NS: u64 = 1_790_000_000_000_000_000;

pub(crate) fn id(n: u64) -> RequestId {
    let ms = u128::from(START_NS / 1_000_000 + n);
    let noise = u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) & 0x3fff_ffff_ffff_ffff;
    RequestId::from_u128(ms << 80 | 0x7 << 76 | 0x2 << 62 | noise)
}

pub(crate) fn flow() -> Arc<FlowInfo> {
    let slot = |name: &str, secret| SlotInfo {
        name: name.to_owned(),
        path: format!("todos::{name}"),
        is_secret: secret,
        is_indexed: false,
    };
    let step = |name: &str, line| StepInfo {
        name: name.to_owned(),
        doc: "Does what its name says.".to_owned(),
        file: "src/main.rs".to_owned(),
        line,
        reads: vec![],
        writes: vec![],
    };
    Arc::new(FlowInfo {
        name: "todos-item".to_owned(),
        method: "GET".to_owned(),
        pattern: "/v1/todos/{id}".to_owned(),
        class: Class::Interactive,
        slots: vec![
            slot("AuthHeader", true),
            slot("Claims", false),
            slot("Todo", false),
            slot("Note", false),
        ],
        steps: vec![
            step("parse_auth", 3),
            step("lookup_user", 9),
            step("load_todo", 14),
            step("render_todo", 20),
        ],
    })
}

/// Returns the `n`th sample trace, without secrets.
pub(crate) fn trace(n: u64) -> Trace {
    let value = |text: &str| Recorded::Plain { value: Value::from_serialize(text).unwrap(), summary: None };
    let empty = RecordedBody {
        full_len: 0,
        kept_len: 0,
        bytes: Recorded::Plain { value: Value::from_bytes(b"").unwrap(), summary: None },
    };
    Trace {
        id: id(n),
        flow: flow(),
        class: Class::Interactive,
        started_unix_ns: START_NS + n * 1_000_000,
        duration_ns: 1_000_000 + n * 7,
        seed: n,
        build: "b1".to_owned(),
        kept: Kept::All,
        method: "GET".to_owned(),
        path: format!("/v1/todos/{n}"),
        target: value(&format!("/v1/todos/{n}")),
        version: "HTTP/1.1".to_owned(),
        peer: "127.0.0.1:4000".to_owned(),
        request_headers: vec![Header { name: "host".to_owned(), value: value("localhost") }],
        request_body: empty.clone(),
        status: 200,
        response_headers: vec![],
        response_body: empty,
        outcome: Outcome::Done,
        events: vec![
            Event::BodyReceived { at_ns: 10 },
            Event::SlotWritten { step: 0, slot: 1, at_ns: 20, value: value(&format!("user-{n}")) },
            Event::StepRan { step: 3, ready_ns: 20, at_ns: 30, cpu_ns: 40, decision: Decision::Done },
        ],
        events_dropped: 0,
        worker: Some((n % 2) as u16),
        origin: match n % 4 {
            0 => Origin::NotRecorded,
            1 => Origin::Named(value(&format!("http://{n}.example:8080"))),
            _ => Origin::Absent,
        },
        redaction: zerver_trace::Redaction::default(),
        is_undelivered: n % 5 == 1,
        recorded_by: RecordedBy::Runtime,
        sealed_by: zerver_trace::SealedBy(None),
    }
}

/// A request or response with the given description.
pub(crate) struct FixedMessage(pub(crate) MessageInfo);

impl Message for FixedMessage {
    fn visit_parts(&self, body_limit: usize, to: &mut dyn FnMut(MessagePart<'_>)) {
        self.0.visit_parts(body_limit, to);
    }

    fn buffered_bytes(&self) -> usize {
        self.0.buffered_bytes()
    }
}

pub(crate) fn headers(pairs: &[(&str, &str)]) -> Vec<Header> {
    pairs
        .iter()
        .map(|(name, value)| Header { name: (*name).to_owned(), value: value.as_bytes().to_vec() })
        .collect()
}

pub(crate) fn datum<T: Serialize + Send + Sync + 'static>(value: T) -> SharedValue {
    Arc::new(TypedValue(value))
}

/// Returns the `n`th sample capture, without secrets.
pub(crate) fn capture(n: u64) -> Capture {
    let body = br#"{"id":456,"title":"Buy milk","done":false}"#.to_vec();
    Capture {
        id: id(n),
        flow: flow(),
        class: Class::Interactive,
        started_unix_ns: START_NS + n * 1_000_000,
        duration_ns: 1_000_000 + n * 7,
        seed: n,
        request: Arc::new(FixedMessage(MessageInfo::Request(RequestInfo {
            method: "GET".to_owned(),
            target: format!("/v1/todos/{n}?page=2"),
            version: "HTTP/1.1".to_owned(),
            peer: "127.0.0.1:4000".to_owned(),
            headers: headers(&[("host", "localhost"), ("accept", "*/*")]),
            body: Body::default(),
            origin: String::new(),
        }))),
        response: Some(Arc::new(FixedMessage(MessageInfo::Response(ResponseInfo {
            status: 200,
            headers: headers(&[("content-type", "application/json")]),
            body: Body { full_len: body.len() as u64, bytes: body },
        })))),
        status: 200,
        outcome: Outcome::Done,
        events: vec![
            Event::BodyReceived { at_ns: 10 },
            Event::StepRan { step: 0, ready_ns: 10, at_ns: 11, cpu_ns: 5, decision: Decision::Need },
            Event::EffectRequested {
                call: 0,
                step: 0,
                at_ns: 17,
                kind: Name::from("kv"),
                args: datum(("todo", 456)),
                attempt: 1,
                timeout_ns: None,
            },
            Event::EffectCompleted { call: 0, at_ns: 900, answer: Answer::Ok(datum("found it")) },
            Event::SlotWritten { step: 0, slot: 2, at_ns: 20, value: datum(format!("todo-{n}")) },
            Event::StepRan { step: 3, ready_ns: 20, at_ns: 30, cpu_ns: 40, decision: Decision::Done },
        ],
        events_dropped: 0,
        is_recording_requested: false,
        worker: Some((n % 2) as u16),
        is_undelivered: n % 5 == 1,
        recorded_by: RecordedBy::Runtime,
    }
}
