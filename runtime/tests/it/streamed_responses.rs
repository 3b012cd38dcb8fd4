//! Responses whose bodies are made while they are sent: what is sent, what is recorded, and how streams fail.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use http_body_util::BodyExt as _;
use tower_service::Service as _;
use zerver::effects::{EffectContext, Interpreters};
use zerver::prelude::*;
use zerver::{BrokenStream, StartOptions};
use zerver_trace::{CaptureSink, Event, Outcome};

use crate::collector::{Collector, ended, response_body as body, start};
use crate::http2;
use crate::raw_client::{Client, get};
use crate::streaming_app::{Letters, LettersInterpreter, Probe, app, lines, start_app};

#[test]
fn the_items_are_sent_and_recorded() {
    let (server, collector, _) = start_app();
    let mut client = Client::connect(server.addr());
    let head = client.request(get("/rows/3"));
    assert_eq!((head.status, head.header("content-type")), (200, Some("application/x-ndjson")));
    assert_eq!((head.header("transfer-encoding"), head.header("content-length")), (Some("chunked"), None));
    assert_eq!(client.chunks(), (lines(3), true));
    // The connection stays open.
    client.request(get("/rows/0"));
    assert_eq!(client.chunks(), (String::new(), true));
    let captures = collector.wait_for(2);
    let capture = &captures[0];
    assert_eq!((&capture.outcome, capture.status, capture.is_undelivered), (&Outcome::Done, 200, false));
    assert_eq!(body(capture), (lines(3), 39));
    let hash = &blake3::hash(lines(3).as_bytes()).to_hex()[..32];
    let (answer, points) = ended(capture);
    assert_eq!(answer, format!(r#"{{items: 3, bytes: 39, hash: "{hash}"}}"#));
    assert_eq!(points, ["first byte"]);
    let Some(Event::EffectCompleted { at_ns, .. }) = capture.events.last() else { panic!("no answer") };
    assert!(capture.duration_ns >= *at_ns, "the request lasts as long as its body");
    assert_eq!((body(&captures[1]), ended(&captures[1]).1.len()), ((String::new(), 0), 0));
}

#[test]
fn batch_workers_and_conclusions_lead_to_streams_too() {
    let (server, collector, _) = start_app();
    let mut client = Client::connect(server.addr());
    for (at, path) in ["/batch/2", "/concluded/2"].iter().enumerate() {
        assert_eq!(client.request(get(path)).status, 200);
        assert_eq!(client.chunks(), (lines(2), true), "{path}");
        let capture = &collector.wait_for(at + 1)[at];
        assert_eq!((&capture.outcome, capture.is_undelivered), (&Outcome::Done, false), "{path}");
        assert!(ended(capture).0.starts_with("{items: 2"), "{path}");
    }
}

#[test]
fn a_failure_breaks_the_body_off() {
    let (server, collector, _) = start_app();
    for (at, (path, sent, message)) in [
        ("/rows/2?fails", lines(2), "the table is gone"),
        ("/bug", "before the bug".to_owned(), "the interpreter of bug panicked: a bug in a stream"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = Client::connect(server.addr());
        assert_eq!(client.request(get(path)).status, 200);
        assert_eq!(client.chunks(), (sent.clone(), false), "{path}");
        let capture = &collector.wait_for(at + 1)[at];
        let Outcome::Failed(failure) = &capture.outcome else { panic!("{:?}", capture.outcome) };
        assert_eq!((failure.step, capture.status, capture.is_undelivered), (Some(0), 200, true), "{path}");
        assert_eq!(ended(capture).0, message, "{path}");
        // What the client has received is known all the same.
        assert_eq!(body(capture), (sent.clone(), sent.len() as u64), "{path}");
    }
}

#[test]
fn the_response_of_a_failure_can_be_streamed() {
    let (server, collector, _) = start_app();
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(get("/explained")).status, 404);
    assert_eq!(client.chunks(), (lines(2), true));
    let capture = collector.one();
    assert!(matches!(capture.outcome, Outcome::Failed(_)) && !capture.is_undelivered);
}

#[test]
fn a_response_without_a_body_starts_no_stream() {
    let (server, collector, _) = start_app();
    let mut client = Client::connect(server.addr());
    client.send("HEAD /rows/2 HTTP/1.1\r\nhost: a\r\n\r\n");
    let head = client.head_answer().unwrap();
    assert_eq!((head.status, head.header("content-type")), (200, Some("application/x-ndjson")));
    assert_eq!(head.header("content-length"), None, "the length is unknown");
    client.send("HEAD /letters/6 HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.head_answer().unwrap().header("content-length"), Some("6"));
    client.send("GET /rows/2 HTTP/1.1\r\nhost: a\r\nif-none-match: \"rows\"\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 304);
    for capture in collector.wait_for(3) {
        assert_eq!((&capture.outcome, ended(&capture)), (&Outcome::Done, (String::new(), vec![])));
    }
}

#[test]
fn a_promised_length_is_kept() {
    let (server, collector, _) = start_app();
    let mut client = Client::connect(server.addr());
    let whole = client.request(get("/letters/6"));
    assert_eq!((whole.header("content-length"), &*whole.body), (Some("6"), "abcdef"));
    let range = |range: &str| format!("GET /letters/6 HTTP/1.1\r\nhost: a\r\nrange: bytes={range}\r\n\r\n");
    let part = client.request(range("2-3"));
    assert_eq!((part.status, part.header("content-range"), &*part.body), (206, Some("bytes 2-3/6"), "cd"));
    assert_eq!(client.request(range("-2")).body, "ef");
    assert_eq!(client.request(range("9-")).status, 416);
    // Several parts are answered with the whole.
    assert_eq!(client.request(range("0-0,2-2")).body, "abcdef");
    let captures = collector.wait_for(5);
    assert!(captures.iter().all(|capture| capture.outcome == Outcome::Done && !capture.is_undelivered));
    assert_eq!(body(&captures[1]), ("cd".to_owned(), 2));
    for (at, path) in ["/letters/5", "/letters/7"].iter().enumerate() {
        let mut client = Client::connect(server.addr());
        client.send(get(path));
        let capture = collector.wait_for(6 + at).pop().unwrap();
        let length = if at == 0 { 5 } else { 7 };
        let message = format!("the stream has another length than the {length} bytes of its response");
        assert_eq!(ended(&capture).0, message);
        assert!(matches!(capture.outcome, Outcome::Failed(_)), "{:?}", capture.outcome);
    }
}

#[test]
fn the_deadline_of_a_request_ends_with_its_head() {
    let probe = Arc::new(Probe::default());
    let (server, _) = start(app(&probe).deadline(Duration::from_millis(50)));
    let mut client = Client::connect(server.addr());
    client.request(get("/events"));
    client.chunk().unwrap();
    // The deadline of a later request has passed, so that of this one has, too.
    assert_eq!(Client::connect(server.addr()).request(get("/never")).status, 504);
    probe.proceed.notify_one();
    assert_eq!(client.chunk().as_deref(), Some("id: 1\ndata: event 1\n\n"));
}

#[test]
fn streams_are_performed_outside_requests_too() {
    let mut interpreters = Interpreters::new();
    interpreters.set::<Letters>(LettersInterpreter);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let end = runtime.block_on(interpreters.perform(effect(Letters(0..3)), &EffectContext::default()));
    assert_eq!(end.unwrap().summary(), "1 item, 3 bytes");
}

#[test]
fn a_mounted_flow_streams_through_its_host() {
    let probe = Arc::new(Probe::default());
    let (sender, dropped) = channel();
    *probe.ended.lock().unwrap() = Some(sender);
    let collector = Arc::new(Collector::default());
    let sink: Arc<dyn CaptureSink> = collector.clone();
    let options = StartOptions { sink: Some(sink), ..StartOptions::default() };
    let flows = app(&probe).workers(1).mount_with(options).unwrap();
    let get = |path: &str| ::http::Request::get(path).body(String::new()).unwrap();
    http2::block_on(async {
        let mut all = flows.all();
        let response = all.call(get("/rows/3")).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), lines(3));
        let broken = all.call(get("/rows/3?fails")).await.unwrap().into_body();
        assert_eq!(broken.collect().await.unwrap_err(), BrokenStream);
        let mut events = all.call(get("/events")).await.unwrap().into_body();
        assert!(events.frame().await.unwrap().is_ok());
        drop(events);
        let letters = all.call(get("/letters/6")).await.unwrap().into_body();
        assert_eq!(http_body::Body::size_hint(&letters).exact(), Some(6));
        assert_eq!(letters.collect().await.unwrap().to_bytes(), "abcdef");
    });
    dropped.recv().unwrap();
    let mut ends: Vec<_> = collector
        .wait_for(4)
        .iter()
        .map(|capture| (capture.flow.name.to_string(), capture.outcome.as_str(), capture.is_undelivered))
        .collect();
    ends.sort();
    let end = |name: &str, outcome, is_undelivered| (name.to_owned(), outcome, is_undelivered);
    assert_eq!(
        ends,
        [
            end("events", "done", true),
            end("letters", "done", false),
            end("rows", "done", false),
            end("rows", "failed", true)
        ]
    );
}
