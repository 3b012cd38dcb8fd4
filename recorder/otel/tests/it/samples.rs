//! Traces with effects of the recorded form, which the conversions look into.

use serde::Serialize;
use zerver_testkit::sample::{self, US, answered, asked, plain, ran, summed, wire};
use zerver_trace::{
    Answer, Decision, EffectError, EffectErrorKind, Event, Header, QueueReason, Recorded, RecordedBody, Trace,
};

#[derive(Serialize)]
struct HttpRequest {
    method: &'static str,
    url: &'static str,
    headers: Vec<HttpHeader>,
    body: &'static str,
}

#[derive(Serialize)]
struct HttpHeader {
    name: &'static str,
    value: &'static str,
}

#[derive(Serialize)]
struct HttpReply {
    status: u16,
    headers: Vec<HttpHeader>,
    body: &'static str,
}

#[derive(Serialize)]
struct Sql {
    database: &'static str,
    statements: Vec<Statement>,
}

#[derive(Serialize)]
struct Statement {
    text: &'static str,
    params: Vec<i64>,
}

#[derive(Serialize)]
struct SqlReply {
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<Rows>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<SqlError>,
}

#[derive(Serialize)]
struct Rows {
    columns: Vec<&'static str>,
    rows: Vec<std::collections::BTreeMap<&'static str, i64>>,
}

#[derive(Serialize)]
struct SqlError {
    sqlstate: &'static str,
    message: &'static str,
}

pub(crate) const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn point(call: u32, at: u64, point: &'static str) -> Event<Recorded> {
    Event::EffectPoint { call, at_ns: at * US, point: point.into() }
}

/// A request of 6 ms with two calls over HTTP at the same time, of which one is repeated, and two calls of a database, of
/// which one waits for a permit and one fails.
pub(crate) fn calls() -> Trace {
    use Decision::{Done, Need};
    let get = || {
        let request = HttpRequest {
            method: "GET",
            url: "https://user:hunter2@idp.example.com/verify?user=ann",
            headers: vec![HttpHeader { name: "accept", value: "application/json" }],
            body: "",
        };
        summed(request, "GET idp.example.com/verify?..")
    };
    let post = HttpRequest {
        method: "POST",
        url: "http://audit.internal:8080/log",
        headers: vec![HttpHeader { name: "content-type", value: "text/plain" }],
        body: "seen",
    };
    let reply = |status, body| {
        let headers = vec![HttpHeader { name: "content-type", value: "application/json" }];
        let summary = format!("{status}, {} bytes", str::len(body));
        Answer::Ok(summed(HttpReply { status, headers, body }, &summary))
    };
    let select = Sql {
        database: "main",
        statements: vec![Statement { text: "select id from todos where owner = $1", params: vec![7] }],
    };
    let change = Sql {
        database: "main",
        statements: vec![
            Statement { text: "insert into log (id) values ($1)", params: vec![1] },
            Statement { text: "update todos set seen = true where id = $1", params: vec![456] },
        ],
    };
    let rows = Rows { columns: vec!["id"], rows: vec![[("id", 1)].into(), [("id", 2)].into()] };
    let rows = SqlReply { attempts: 1, results: Some(vec![rows]), error: None };
    let refused = SqlReply {
        attempts: 1,
        results: None,
        error: Some(SqlError { sqlstate: "23505", message: "exists" }),
    };
    let timeout = Answer::Err(EffectError::new(EffectErrorKind::Timeout, "after 1 ms"));
    let mut trace = sample::slow();
    trace.request_headers.push(Header { name: "traceparent".into(), value: wire(PARENT.as_bytes()) });
    trace.request_headers.push(Header { name: "tracestate".into(), value: wire(b"rojo=1") });
    trace.request_headers.push(Header { name: "user-agent".into(), value: wire(b"curl/8") });
    trace.duration_ns = 6_000 * US;
    trace.events = vec![
        Event::BodyReceived { at_ns: 10 * US },
        ran(0, 10, 15, 85, Decision::Continue),
        ran(1, 100, 100, 20, Need),
        asked(0, 1, 120, "http", get(), 1),
        asked(1, 1, 120, "http", summed(post, "POST audit.internal:8080/log"), 1),
        point(0, 500, "connected"),
        answered(0, 1_120, timeout),
        asked(2, 1, 1_120, "http", get(), 2),
        Event::EffectQueued { call: 2, at_ns: 1_120 * US, reason: QueueReason::RetryDelay },
        Event::EffectStarted { call: 2, at_ns: 1_320 * US },
        point(1, 2_000, "first byte"),
        answered(1, 2_100, reply(503, "")),
        point(2, 2_400, "first byte"),
        answered(2, 2_500, reply(200, "{\"sub\":\"ann\"}")),
        ran(3, 2_500, 2_520, 30, Need),
        asked(3, 3, 2_550, "sql", summed(select, "select id from todos where owner = $1"), 1),
        Event::EffectQueued { call: 3, at_ns: 2_550 * US, reason: QueueReason::Target },
        Event::EffectStarted { call: 3, at_ns: 3_050 * US },
        point(3, 3_100, "connection"),
        answered(3, 4_000, Answer::Ok(summed(rows, "2 rows"))),
        asked(4, 3, 4_000, "sql", summed(change, "2 statements: insert into log (id) values ($1)"), 1),
        answered(4, 5_000, Answer::Ok(summed(refused, "error 23505: exists"))),
        Event::SlotWritten { step: 3, slot: 2, at_ns: 5_000 * US, value: plain("Buy milk") },
        ran(4, 5_000, 5_000, 1_000, Done),
    ];
    trace
}

/// A request with a body and a cut response that is not text.
pub(crate) fn bodies() -> Trace {
    let mut trace = sample::slow();
    trace.method = "POST".into();
    trace.request_headers.push(Header { name: "content-type".into(), value: wire(b"application/json") });
    trace.request_body = RecordedBody { full_len: 8, kept_len: 8, bytes: wire(b"{\"a\": 1}") };
    trace.response_body = RecordedBody { full_len: 9_000, kept_len: 2, bytes: wire(&[0xff, 0x00]) };
    trace
}
