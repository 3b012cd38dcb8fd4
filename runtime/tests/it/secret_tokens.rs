//! Tokens that are shown to the service itself: they open something, and are in no trace.

use zerver::prelude::*;
use zerver::{ClassRule, StartOptions};
use zerver_recorder::{Reader, Recorder, RecorderOptions, portable};
use zerver_trace::RequestId;

use crate::raw_client::Client;

const CANARY: &str = "c4n4ry";

/// Says what it was sent, as a careless service does.
#[step]
fn echo(request: &Request) -> Response {
    Response::text(format!("{:?}", request.headers.get("x-class").map(::http::HeaderValue::as_bytes)))
}

#[test]
fn what_is_shown_to_the_service_itself_is_in_no_trace() {
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
    // Also where no step sees it, and where it is wrong.
    for (target, wrong) in [("/echo", ""), ("/nothing", ""), ("/echo", "r")] {
        let answer = client.ask(format!(
            "GET {target} HTTP/1.1\r\nhost: test\r\nx-class: batch class-{CANARY}{wrong}\r\n\
             x-zerver-record: record-{CANARY}{wrong}\r\n\r\n"
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
        // The words around them can be read.
        let shown = format!("{trace:?}");
        assert!(shown.contains("x-class") && shown.contains("x-zerver-record"), "{shown}");
    }
}

fn has_canary(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}
