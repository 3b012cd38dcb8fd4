//! Captures of an invented service, as its workers hand them to the recorder.

use std::sync::Arc;

use serde::Serialize;
use zerver_trace::{
    Answer, Body, Capture, Class, Decision, Event, FlowInfo, Header, Message, MessageInfo, MessagePart, Name,
    Outcome, RecordedBy, RequestId, RequestInfo, ResponseInfo, SharedValue, SlotInfo, StepInfo, TypedValue,
};

const STEPS: [&str; 6] =
    ["parse_auth", "lookup_user", "verify_roles", "parse_id", "load_todo", "render_todo"];
const SLOTS: [&str; 5] = ["AuthHeader", "Claims", "Roles", "TodoId", "Todo"];

#[derive(Serialize)]
pub(crate) struct Claims {
    pub(crate) sub: String,
    pub(crate) roles: Vec<String>,
    pub(crate) expires: u64,
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

pub(crate) struct FixedMessage(pub(crate) MessageInfo);

impl Message for FixedMessage {
    fn visit_parts(&self, body_limit: usize, to: &mut dyn FnMut(MessagePart<'_>)) {
        self.0.visit_parts(body_limit, to);
    }

    fn buffered_bytes(&self) -> usize {
        self.0.buffered_bytes()
    }
}

pub(crate) fn datum<T: Serialize + Send + Sync + 'static>(value: T) -> SharedValue {
    Arc::new(TypedValue(value))
}

fn headers(pairs: &[(&str, &str)]) -> Vec<Header> {
    let header =
        |(name, value): &(&str, &str)| Header { name: (*name).to_owned(), value: value.as_bytes().to_vec() };
    pairs.iter().map(header).collect()
}

/// Returns the flow of [`capture`].
pub(crate) fn flow(secret: bool) -> Arc<FlowInfo> {
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
        is_indexed: false,
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

/// Returns the capture of a request, with or without a bearer token.
pub(crate) fn capture(n: u64, flow: &Arc<FlowInfo>, secret: bool) -> Box<Capture> {
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
        recorded_by: RecordedBy::Runtime,
    })
}
