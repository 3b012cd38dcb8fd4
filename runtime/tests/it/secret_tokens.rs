//! Tokens that clients send to zerver itself: they grant something, and no trace contains them.

use zerver::prelude::*;
use zerver::{ClassRule, StartOptions};
use zerver_recorder::{Reader, Recorder, RecorderOptions, portable};
use zerver_trace::RequestId;

use crate::raw_client::Client;

const CANARY: &str = "c4n4ry";

/// Returns a header of the request, as a careless service might.
#[step]
fn echo(request: &Request) -> Response {
    Response::text(format!("{:?}", request.headers.get("x-class").map(::http::HeaderValue::as_bytes)))
}

#[test]
fn no_trace_contains_a_token_for_zerver() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(RecorderOptions::new(dir.path())).unwrap();
    let app = App::new()
        .flow(flow!("echo", GET "/echo", steps: [echo]))
        .batch_workers(0)
        .class_rule(ClassRule::requested_in("x-class").with_token(format!("class-{CANARY}")));
    let server = app
        .start(StartOptions {
            addr: Some("127.0.0.1:0".to_owned()),
            sink: Some(recorder.sink()),
            record_token: Some(format!("record-{CANARY}")),
            ..StartOptions::default()
        })
        .unwrap();
    let mut client = Client::connect(server.addr());
    let mut ids: Vec<RequestId> = Vec::new();
    // Includes a request that no flow takes, and one with invalid tokens.
    for (target, suffix) in [("/echo", ""), ("/nothing", ""), ("/echo", "r")] {
        let answer = client.request(format!(
            "GET {target} HTTP/1.1\r\nhost: test\r\nx-class: batch class-{CANARY}{suffix}\r\n\
             x-zerver-record: record-{CANARY}{suffix}\r\n\r\n"
        ));
        ids.push(answer.header("x-request-id").unwrap().parse().unwrap());
    }
    server.stop();
    recorder.close();
    assert!(!has_canary(&std::fs::read(dir.path().join("traces.redb")).unwrap()));
    let reader = Reader::open(dir.path()).unwrap();
    for id in ids {
        let trace = reader.load(id).unwrap().unwrap();
        let file = portable::write(&trace).unwrap();
        assert!(!has_canary(format!("{trace:?}").as_bytes()) && !has_canary(&file), "{trace:#?}");
        // The names of the headers are readable.
        let shown = format!("{trace:?}");
        assert!(shown.contains("x-class") && shown.contains("x-zerver-record"), "{shown}");
    }
}

fn has_canary(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}
