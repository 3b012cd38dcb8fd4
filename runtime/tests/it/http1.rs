//! HTTP/1.1, valid and malformed.

use std::fmt::Write as _;
use std::time::Duration;

use zerver::Limits;
use zerver::prelude::*;
use zerver_trace::Outcome;

use crate::collector::{request, start};
use crate::raw_client::{Client, PATIENCE, get};

#[step]
fn echo(request: &Request) -> Response {
    Response::text(String::from_utf8_lossy(&request.body).into_owned())
}

#[step]
fn zeros(request: &Request) -> Result<Response, Failure> {
    Ok(Response::text("0".repeat(request.param("bytes")?)))
}

fn app() -> App {
    App::new()
        .flow(flow!("echo", POST "/echo", steps: [echo]))
        .flow(flow!("get", GET "/echo", steps: [echo]))
        .flow(flow!("zeros", GET "/zeros/{bytes}", steps: [zeros]))
}

/// Returns a POST with these header lines and this body, followed by a GET of `/smuggled`.
fn smuggle(lines: &str, body: &str) -> String {
    format!("POST /echo HTTP/1.1\r\nhost: test\r\n{lines}\r\n\r\n{body}{}", get("/smuggled"))
}

#[test]
fn a_request_with_an_ambiguous_length_is_never_read_as_two() {
    let (server, collector) = start(app());
    let chunked = "5\r\nhello\r\n0\r\n\r\n";
    let rejected = [
        ("content-length: 5\r\ncontent-length: 6", "hello"),
        ("content-length: 5, 5", "hello"),
        ("content-length: +5", "hello"),
        ("content-length: -5", "hello"),
        ("content-length: 0x5", "hello"),
        ("content-length: 5 5", "hello"),
        ("content-length: 99999999999999999999999", "hello"),
        ("content-length:", "hello"),
        ("transfer-encoding: chunked, identity", chunked),
        ("transfer-encoding: xchunked", chunked),
        ("transfer-encoding: identity", chunked),
        ("transfer-encoding: gzip, chunked", chunked),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked", chunked),
        ("transfer-encoding: \"chunked\"", chunked),
        ("transfer-encoding : chunked", chunked),
        ("content-length : 5", "hello"),
        ("x: a\r\n folded: b\r\ncontent-length: 5", "hello"),
        ("x: a\0b\r\ncontent-length: 5", "hello"),
        ("x\0: a\r\ncontent-length: 5", "hello"),
        ("x: a\rcontent-length: 5", "hello"),
        ("transfer-encoding: chunked", "+5\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "5 \0\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "5 \r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "5\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "00000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "5;\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "5;a\0b\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "5\r\nhello\r\n0\n\r\n"),
        ("transfer-encoding: chunked", "5\r\nhello\r\n0\r\n\n"),
        ("transfer-encoding: chunked", "5\r\nhello\r\n0\r\nx: y\n\r\n"),
        ("transfer-encoding: chunked", "5\r\nhello\r\n0\r\nx : y\r\n\r\n"),
        ("transfer-encoding: chunked", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked", "5\r\nhelloo\r\n0\r\n\r\n"),
    ];
    for (lines, body) in rejected {
        let mut client = Client::connect(server.addr());
        let answer = client.request(smuggle(lines, body));
        assert_eq!(answer.status, 400, "{lines:?} {body:?}");
        assert!(client.is_closed(), "{lines:?} {body:?}");
    }
    // Transfer-Encoding overrides Content-Length, and the connection closes afterwards (RFC 9112, section 6.3).
    for lines in
        ["content-length: 5\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 5"]
    {
        let mut client = Client::connect(server.addr());
        let answer = client.request(smuggle(lines, chunked));
        assert_eq!((answer.status, answer.body.as_str()), (200, "hello"), "{lines:?}");
        assert!(client.is_closed(), "{lines:?}");
    }
    // The service has read no second request from any of them.
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(get("/last")).status, 404);
    let count = |captures: &[std::sync::Arc<zerver_trace::Capture>], target: &str| {
        captures.iter().filter(|capture| request(capture).0 == target).count()
    };
    let mut captures = collector.wait_for(1);
    while count(&captures, "/last") == 0 {
        captures = collector.wait_for(captures.len() + 1);
    }
    assert_eq!(count(&captures, "/smuggled"), 0);
}

#[test]
fn a_repeated_content_length_is_accepted() {
    let (server, _) = start(app());
    let mut client = Client::connect(server.addr());
    let answer = client.request(smuggle("content-length: 5\r\ncontent-length: 5", "hello"));
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    assert_eq!(client.answer().unwrap().status, 404);
}

#[test]
fn a_line_feed_alone_ends_a_line_and_is_rejected_within_a_target() {
    let (server, _) = start(app());
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request("POST /echo HTTP/1.1\nhost: test\ncontent-length: 5\n\nhello").body, "hello");
    // A target with a control character or without a leading slash is rejected.
    for target in ["/echo\n", "/ec\nho", "/ec\0ho", "/ec\tho", "/ec\u{7f}ho", "echo", ""] {
        let mut client = Client::connect(server.addr());
        assert_eq!(client.request(get(target)).status, 400, "{target:?}");
    }
}

#[test]
fn a_request_must_have_exactly_one_valid_host() {
    let (server, _) = start(app());
    let check = |head: &str, status: u16| {
        let mut client = Client::connect(server.addr());
        let answer = client.request(format!("{head}\r\n\r\n"));
        assert_eq!(answer.status, status, "{head:?}");
        assert!(answer.header("x-request-id").is_some());
    };
    check("GET /echo HTTP/1.1\r\nhost: a.example:80", 200);
    check("GET /echo HTTP/1.1\r\nHOST: [::1]:3000", 200);
    check("GET /echo HTTP/1.1", 400);
    check("GET /echo HTTP/1.1\r\nhost: a\r\nhost: a", 400);
    check("GET /echo HTTP/1.1\r\nhost: a\r\nhost: b", 400);
    for host in ["", "a b", "a, b", "user@a", "a/b", "a:port", "a:99999", "\u{e9}", "a\"", "[::1"] {
        check(&format!("GET /echo HTTP/1.1\r\nhost: {host}"), 400);
    }
    check("GET /echo HTTP/1.0", 200);
    check("GET /echo HTTP/1.0\r\nhost: a\r\nhost: a", 400);
    check("GET http://b.example/echo HTTP/1.1\r\nhost: a", 200);
    check("GET http://user@b.example/echo HTTP/1.1\r\nhost: a", 400);
    check("CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:80", 400);
    check("GET * HTTP/1.1\r\nhost: a", 400);
}

#[test]
fn only_allowed_hosts_are_served() {
    let (server, _) = start(app().allow_host("a.example").allow_host("localhost"));
    let mut client = Client::connect(server.addr());
    let mut check = |target: &str, host: &str, status: u16| {
        let answer = client.request(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
        assert_eq!(answer.status, status, "{target} {host}");
    };
    check("/echo", "a.example", 200);
    check("/echo", "LOCALHOST:3000", 200);
    check("/echo", "evil.example", 421);
    check("http://a.example/echo", "evil.example", 200);
    check("http://evil.example/echo", "a.example", 421);
}

#[test]
fn sizes_are_limited() {
    let limits = Limits { target_bytes: 100, header_bytes: 1000, body_bytes: 10, ..Limits::default() };
    let (server, collector) = start(app().limits(limits));
    let check = |request: &str, status: u16, kind: &str| {
        let mut client = Client::connect(server.addr());
        let _ = client.try_send(request.as_bytes());
        let answer = client.answer().unwrap();
        assert_eq!(answer.status, status, "{}", &request[..request.len().min(80)]);
        assert!(answer.body.contains(kind), "{}", answer.body);
    };
    let header =
        |bytes: usize| format!("GET /echo HTTP/1.1\r\nhost: test\r\nx: {}\r\n\r\n", "x".repeat(bytes));
    check(&get(&format!("/echo?{}", "x".repeat(94))), 200, "");
    check(&get(&format!("/echo?{}", "x".repeat(95))), 414, r#""kind":"too_large","what":"target""#);
    check(&get(&format!("/{}", "x".repeat(70_000))), 414, "");
    check(&header(900), 200, "");
    check(&header(1000), 431, r#""kind":"too_large","what":"headers""#);
    check(&header(1_000_000), 431, "");
    let mut many = "GET /echo HTTP/1.1\r\nhost: test\r\n".to_owned();
    for at in 0..200 {
        write!(many, "x-{at}: 1\r\n").unwrap();
    }
    check(&format!("{many}\r\n"), 431, "");
    let post =
        |lines: &str, body: &str| format!("POST /echo HTTP/1.1\r\nhost: test\r\n{lines}\r\n\r\n{body}");
    check(&post("content-length: 10", "0123456789"), 200, "0123456789");
    let body = r#"{"type":"about:blank","title":"Payload Too Large","status":413,"detail":"more than 10 bytes","kind":"too_large","what":"body"}"#;
    check(&post("content-length: 11", "0123456789a"), 413, body);
    // The body is rejected before it is sent, without a 100 response.
    check(&post("content-length: 11\r\nexpect: 100-continue", ""), 413, body);
    check(&post("content-length: 1000000000000", "012"), 413, body);
    check(&post("transfer-encoding: chunked", "a\r\n0123456789\r\n1\r\na\r\n0\r\n\r\n"), 413, body);
    check(&post("transfer-encoding: chunked", &format!("3d0900\r\n{}", "x".repeat(4_000_000))), 413, body);
    let captures = collector.wait_for(10);
    let reasons: Vec<_> = captures.iter().map(|capture| (capture.status, capture.outcome.as_str())).collect();
    assert!(reasons.contains(&(413, "rejected")) && reasons.contains(&(414, "rejected")), "{reasons:?}");
}

/// An operator finds the reason of a 400 response even if the input was not a request.
#[test]
fn malformed_input_has_an_id_and_a_trace_and_is_counted() {
    const CANARY: &str = "c4n4ry";
    let app = app().on_failure(|failure, _| Response::text(failure.to_string()).header("x-mine", "1"));
    let (server, collector) = start(app);
    let mut many = "GET /echo HTTP/1.1\r\nhost: test\r\n".to_owned();
    for at in 0..200 {
        write!(many, "x-{at}: 1\r\n").unwrap();
    }
    let head = |line: &str| format!("{line} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {CANARY}\r\n");
    let not_http = "invalid request: not HTTP: ";
    let cases = [
        (
            format!("{}x: a\0b\r\n\r\n", head("GET /echo")),
            400,
            format!("{not_http}invalid HTTP header parsed"),
        ),
        (format!("{}\r\n", head("GET /ec\0ho")), 400, format!("{not_http}invalid URI")),
        (format!("{}\r\n", head("G{T /echo")), 400, format!("{not_http}invalid HTTP method parsed")),
        (format!("{}\r\n", head("GET /echo HTTP/9.9")), 400, not_http.to_owned()),
        (
            format!("{}content-length: +5\r\n\r\nhello", head("POST /echo")),
            400,
            format!("{not_http}invalid content-length parsed"),
        ),
        (get(&format!("/{}", "x".repeat(70_000))), 414, "too_large target: more than 8192 bytes".to_owned()),
        (
            format!("{many}\r\n"),
            431,
            "too_large headers: more than 32768 bytes, or more than 100 headers".to_owned(),
        ),
        ("\x16\x03\x01\x02\0\x01\0\x01\x7c\x03\x03".to_owned(), 400, not_http.to_owned()),
    ];
    for (at, (request, status, reason)) in cases.iter().enumerate() {
        let mut client = Client::connect(server.addr());
        // A valid request precedes it on the same connection, and another arrives together with it.
        let valid = get("/zeros/3");
        assert_eq!(client.request(&valid).body, "000");
        client.send(format!("{valid}{request}"));
        assert_eq!(client.answer().unwrap().body, "000", "{reason}");
        let answer = client.answer().unwrap();
        assert_eq!(answer.status, *status, "{reason}");
        assert!(answer.body.starts_with(reason), "{reason}: {}", answer.body);
        assert_eq!((answer.header("connection"), answer.header("x-mine")), (Some("close"), Some("1")));
        assert!(answer.header("date").is_some() && client.is_closed(), "{reason}");
        let captures = collector.wait_for(3 * (at + 1));
        let capture = captures.last().unwrap();
        assert_eq!(capture.id.to_string(), answer.header("x-request-id").unwrap());
        assert_eq!((capture.status, &capture.outcome), (*status, &Outcome::Rejected { reason: answer.body }));
        // The input has no structure that would show which part is a secret.
        let request = capture.request.describe(usize::MAX);
        assert!(!format!("{request:?}").contains(CANARY), "{request:?}");
    }
    let mut client = Client::connect(server.addr());
    let metrics = client.request("GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").body;
    assert!(metrics.contains(&format!("zerver_malformed_requests_total {}", cases.len())), "{metrics}");
}

#[test]
fn only_the_answers_of_hyper_are_replaced_even_after_a_half_close() {
    let (server, collector) = start(app());
    let mut client = Client::connect(server.addr());
    // A body that looks like an answer of hyper is not replaced.
    let forged = "HTTP/1.1 400 Bad Request\r\n\r\n";
    let answer =
        client.request(format!("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 28\r\n\r\n{forged}"));
    assert_eq!((answer.status, answer.body.as_str()), (200, forged));
    client.send("no HTTP\r\n\r\n");
    client.half_close();
    assert_eq!(collector.wait_for(2)[1].status, 400);
    assert_eq!(client.answer().unwrap().status, 400);
    assert!(client.is_closed());
}

#[test]
fn a_body_may_arrive_in_any_pieces() {
    let (server, collector) = start(app());
    let mut client = Client::connect(server.addr());
    let post =
        |lines: &str, body: &str| format!("POST /echo HTTP/1.1\r\nhost: test\r\n{lines}\r\n\r\n{body}");
    assert_eq!(client.request(post("content-length: 5", "hello")).body, "hello");
    let chunks = "1\r\nh\r\n3;extension=1\r\nell\r\n1\r\no\r\n0\r\ntrailer: x\r\n\r\n";
    assert_eq!(client.request(post("transfer-encoding: Chunked", chunks)).body, "hello");
    client.send(post("content-length: 5\r\nexpect: 100-continue", ""));
    assert_eq!(client.answer().unwrap().status, 100);
    client.send("he");
    client.send("llo");
    assert_eq!(client.answer().unwrap().body, "hello");
    let large = "x".repeat(1024 * 1024);
    assert_eq!(client.request(post(&format!("content-length: {}", large.len()), &large)).body, large);
    assert_eq!(request(&collector.wait_for(4)[3]).1.len(), large.len());
}

#[test]
fn one_connection_serves_many_requests_including_pipelined_ones() {
    let (server, collector) = start(app());
    let mut client = Client::connect(server.addr());
    for _ in 0..50 {
        assert_eq!(client.request(get("/zeros/3")).body, "000");
    }
    client.send([get("/zeros/1"), get("/nothing"), get("/zeros/2")].concat());
    let answers: Vec<_> = (0..3).map(|_| client.answer().unwrap()).collect();
    assert_eq!([answers[0].body.as_str(), answers[2].body.as_str()], ["0", "00"]);
    assert_eq!(answers[1].status, 404);
    client.send("GET /zeros/1 HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    assert_eq!(client.answer().unwrap().header("connection"), Some("close"));
    assert!(client.is_closed());
    let ids: Vec<_> = collector.wait_for(54).iter().map(|capture| capture.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "ids are not unique or not in the order of arrival");
    assert_eq!(answers[1].header("x-request-id").unwrap(), ids[51].to_string());
}

#[test]
fn a_step_cannot_set_the_headers_that_hyper_or_zerver_sets() {
    #[step]
    fn odd(request: &Request) -> Response {
        let response = Response::text("odd").header("x-request-id", "mine").header("x-mine", "1");
        match request.param_str("what") {
            Some("length") => response.header("content-length", "1000"),
            Some("encoding") => response.header("transfer-encoding", "chunked"),
            Some("split") => response.header("x-split", "a\r\nset-cookie: b"),
            _ => response.status(::http::StatusCode::CONTINUE),
        }
    }
    let (server, _) = start(App::new().flow(flow!("odd", GET "/odd/{what}", steps: [odd])));
    let mut client = Client::connect(server.addr());
    for (what, status) in [("length", 200), ("encoding", 200), ("split", 200), ("status", 500)] {
        let answer = client.request(get(&format!("/odd/{what}")));
        assert_eq!((answer.status, answer.body.as_str()), (status, "odd"), "{what}");
        assert_eq!(answer.header("x-request-id").unwrap().len(), 36);
        assert_eq!((answer.header("x-mine"), answer.header("set-cookie")), (Some("1"), None));
    }
}

#[test]
fn a_request_with_the_token_is_marked_for_recording() {
    let collector = std::sync::Arc::new(crate::collector::Collector::default());
    let options = zerver::StartOptions {
        addr: Some("127.0.0.1:0".to_owned()),
        sink: Some(collector.clone()),
        record_token: Some("open sesame".to_owned()),
        ..zerver::StartOptions::default()
    };
    let server = app().start(options).unwrap();
    let mut client = Client::connect(server.addr());
    for token in ["open sesame", "open sesam", "open sesame!", ""] {
        client.request(format!("GET /zeros/1 HTTP/1.1\r\nhost: test\r\nx-zerver-record: {token}\r\n\r\n"));
    }
    let requested: Vec<_> =
        collector.wait_for(4).iter().map(|capture| capture.is_recording_requested).collect();
    assert_eq!(requested, [true, false, false, false]);
}

#[test]
fn captures_are_complete() {
    let (server, collector) = start(app().deadline(PATIENCE));
    let mut client = Client::connect(server.addr());
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let before = now();
    let answer = client.request("POST /echo?q HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi");
    let capture = collector.one();
    assert_eq!(capture.id.to_string(), answer.header("x-request-id").unwrap());
    assert_eq!((capture.flow.name.as_str(), capture.status), ("echo", 200));
    assert_eq!(capture.outcome, Outcome::Done);
    assert_eq!(request(&capture), ("/echo?q".to_owned(), b"hi".to_vec()));
    let started = Duration::from_nanos(capture.started_unix_ns);
    // The service reads the system clock only at its start, and adds the monotonic time since then.
    let tolerance = Duration::from_secs(5);
    assert!(before <= started + tolerance && started <= now() + tolerance);
    let zerver_trace::Event::StepRan { at_ns, cpu_ns, .. } = capture.events[1] else { panic!("no step") };
    assert!(capture.duration_ns >= at_ns + cpu_ns);
    let zerver_trace::MessageInfo::Response(response) = capture.response.as_ref().unwrap().describe(100)
    else {
        panic!("no response")
    };
    assert_eq!((response.status, response.body.bytes.as_slice()), (200, b"hi".as_slice()));
}
