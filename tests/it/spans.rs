//! Requests leave as spans and in other formats, and spans come back as requests.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::{Value as Json, json};

use crate::demo_store::DemoStore;

fn spans(document: &Json) -> Vec<Json> {
    document["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
}

#[test]
fn exporting_twice_gives_the_same_and_several_requests_are_one_file() {
    let demo = DemoStore::unpack();
    let once = demo.ok(&["export", "@slowest:report", "--otlp", "-"]);
    assert_eq!(once, demo.ok(&["export", "@slowest:report", "--otlp", "-"]));
    let one = spans(&serde_json::from_str(&once).unwrap());
    assert_eq!(one[0]["name"], "GET /reports/todos");
    assert!(!once.contains("zerver.slot."), "{once}");
    assert!(demo.ok(&["export", "@slowest:report", "--otlp", "-", "--slots"]).contains("zerver.slot."));
    let file = demo.file("all.json");
    demo.ok(&["export", "flow=report", "took>10ms", "--otlp", &file]);
    let all = spans(&serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap());
    assert!(all.iter().filter(|span| span["kind"] == 2).count() > 2, "{}", all.len());
    assert!(one.iter().all(|span| all.contains(span)), "the slowest request is among them");
    let again = demo.zerver(&["export", "flow=report", "--otlp", &file]);
    assert!(again.code == Some(2) && again.err.contains("--force"), "{again:?}");
    for (format, start) in
        [("--chrome", "\"traceEvents\":["), ("--har", "{\"log\":{"), ("--folded", "report;")]
    {
        let out = demo.ok(&["export", "@slowest:report", format, "-"]);
        assert!(out.replace(['\n', ' '], "").contains(start), "{format}: {out}");
    }
}

/// Returns the body of a request once it is complete.
fn body(received: &[u8]) -> Option<Vec<u8>> {
    let head = received.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
    let len = text.split_once("content-length: ")?.1.split("\r\n").next()?.parse::<usize>().unwrap();
    (received.len() == head + len).then(|| received[head..].to_vec())
}

/// Answers each connection with an HTTP response, and returns what it received.
fn collector(answers: &'static [&'static str]) -> (String, std::thread::JoinHandle<Vec<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |answer: &&str| {
        let (mut socket, _) = listener.accept().unwrap();
        let (mut received, mut bytes) = (Vec::new(), [0; 4096]);
        let body = loop {
            if let Some(body) = body(&received) {
                break body;
            }
            let len = socket.read(&mut bytes).unwrap();
            assert!(len > 0, "the client has left");
            received.extend_from_slice(&bytes[..len]);
        };
        write!(socket, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        body
    };
    (url, std::thread::spawn(move || answers.iter().map(answer).collect()))
}

#[test]
fn spans_are_sent_to_a_collector_and_come_back_as_requests() {
    let demo = DemoStore::unpack();
    let (url, received) = collector(&["503 Busy\r\nretry-after: 0", "200 OK"]);
    let sent = demo.zerver(&["export", "@slowest:report", "--otlp", &url, "--otlp-format", "json"]);
    assert!(sent.code == Some(0) && sent.err.contains("of 1 request to"), "{sent:?}");
    let [first, second] = received.join().unwrap().try_into().unwrap();
    assert_eq!(first, second, "the spans are sent again");
    let file = demo.file("received.json");
    std::fs::write(&file, &second).unwrap();
    let store = demo.file("other");
    let there = |arguments: &[&str]| demo.place.zerver(&[&["--store", &store], arguments].concat());
    let imported = there(&["import", &file]);
    assert!(imported.err.contains("imported 1 request"), "{imported:?}");
    let again = there(&["import", &file]);
    assert!(again.err.contains("imported 0 requests") && again.err.contains("left out"), "{again:?}");
    let trace: Json = serde_json::from_str(&there(&["trace", "@last", "--json"]).out).unwrap();
    let original: Json = serde_json::from_str(&demo.ok(&["trace", "@slowest:report", "--json"])).unwrap();
    assert_eq!((&trace["id"], &trace["kept"]), (&original["id"], &json!("imported")));
    let names = |trace: &Json| -> Vec<Json> {
        trace["steps"].as_array().unwrap().iter().map(|step| json!([step["name"], step["cpu_ns"]])).collect()
    };
    assert_eq!(names(&trace), names(&original));
    let refused = there(&["replay", "@last"]);
    assert!(refused.code == Some(2) && refused.err.contains("imported as spans"), "{refused:?}");
}

#[test]
fn what_spans_of_another_tracer_do_not_know_is_not_shown_as_zero() {
    let demo = DemoStore::unpack();
    let span = |id: &str, parent: &str, name: &str, kind: u8, end: &str| {
        json!({ "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": id, "parentSpanId": parent, "name": name,
            "kind": kind, "startTimeUnixNano": "1795344181000000000", "endTimeUnixNano": end })
    };
    let lines = [
        json!({ "spans": [span("0000000000000001", "", "consume", 5, "1795344181100000000")] }),
        json!({ "spans": [span("0000000000000002", "0000000000000001", "store", 3, "1795344181040000000")] }),
    ];
    let file = demo.file("lines.json");
    std::fs::write(&file, format!("{}\n{}\n", lines[0], lines[1])).unwrap();
    let shown = demo.ok(&["trace", &file]);
    assert!(shown.contains("status unknown") && shown.contains("client store"), "{shown}");
    assert!(shown.contains("imported from spans") && !shown.contains("0.00 CPU"), "{shown}");
    let json: Json = serde_json::from_str(&demo.ok(&["trace", &file, "--json"])).unwrap();
    assert!(json["status"].is_null() && json["steps"][0]["cpu_ns"].is_null(), "{json}");
    assert!(json["totals"]["cpu_ns"].is_null() && json["totals"]["queue_ns"].is_null(), "{json}");
}

#[test]
fn files_that_are_no_spans_are_refused_and_nothing_is_imported() {
    let demo = DemoStore::unpack();
    let before = demo.ok(&["ls", "--count"]);
    let good = demo.file("good.json");
    demo.ok(&["export", "@last", "--otlp", &good]);
    for (name, content) in
        [("text", "hello"), ("json", "{\"a\": 1}"), ("cut", "{\"resourceSpans\": ["), ("empty", "")]
    {
        let bad = demo.file(name);
        std::fs::write(&bad, content).unwrap();
        let ran = demo.zerver(&["import", &good, &bad]);
        assert!(ran.code == Some(2) && ran.err.contains("as spans of OpenTelemetry"), "{name}: {ran:?}");
    }
    let device = demo.zerver(&["import", "/dev/zero"]);
    assert!(device.code == Some(2) && device.err.contains("a device"), "{device:?}");
    assert_eq!(demo.ok(&["ls", "--count"]), before);
}
