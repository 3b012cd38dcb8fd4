//! Responses whose bodies are made while they are sent.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::sync::Notify;
use tower_service::Service as _;
use zerver::effects::stream::perform_stream;
use zerver::effects::{EffectContext, EffectResult, Interpreter, Interpreters, Started, sleep};
use zerver::engine::{ResponseStream, StreamEnd, StreamKind};
use zerver::prelude::*;
use zerver::{BrokenStream, Limits, Server, StartOptions};
use zerver_trace::{CaptureSink, Event, LogLevel, Outcome, Value};

use crate::collector::{Collector, ended, response_body as body, start};
use crate::http2;
use crate::raw_client::{Client, get};

/// State that the streams of a service share with its test.
#[derive(Default)]
struct Probe {
    /// Items that were made.
    made: AtomicU64,
    proceed: Notify,
    /// Receives a message when a stream is dropped or ends.
    ended: std::sync::Mutex<Option<Sender<()>>>,
}

struct OnDrop<'p>(&'p Probe);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.ended.lock().unwrap().iter().for_each(|ended| ended.send(()).unwrap());
    }
}

#[derive(Debug, Serialize)]
struct Row {
    number: u64,
}

/// Sends rows, and fails after the last one if `fails`.
#[stream(safe)]
async fn rows(count: u64, fails: bool, to: StreamSender<JsonLine<Row>>) -> Result<(), String> {
    for number in 0..count {
        to.send(JsonLine(Row { number })).await;
    }
    if fails { Err("the table is gone".to_owned()) } else { Ok(()) }
}

/// Sends one event at a time, when the test says so.
#[stream]
async fn events(after: Option<String>, #[resource] probe: &Arc<Probe>, to: StreamSender<ServerEvent>) {
    let _on_drop = OnDrop(probe);
    let first = after.and_then(|id| id.parse().ok()).map_or(0, |id: u64| id + 1);
    for id in first.. {
        to.send(ServerEvent::new(format!("event {id}")).id(id.to_string())).await;
        probe.made.fetch_add(1, Ordering::SeqCst);
        probe.proceed.notified().await;
    }
}

/// Sends blocks of zeros as fast as the client takes them.
#[stream]
async fn zeros(blocks: u64, #[resource] probe: &Arc<Probe>, to: StreamSender<Bytes>) {
    let _on_drop = OnDrop(probe);
    let block = Bytes::from(vec![b'0'; 64 << 10]);
    for _ in 0..blocks {
        to.send(block.clone()).await;
        probe.made.fetch_add(1, Ordering::SeqCst);
    }
}

/// Sends events as fast as the client takes them.
#[stream]
async fn flood(to: StreamSender<ServerEvent>) {
    let data = "0".repeat(16 << 10);
    for id in 0_u64.. {
        to.send(ServerEvent::new(data.as_str()).id(id.to_string())).await;
    }
}

#[stream]
async fn bug(to: StreamSender<&'static str>) {
    to.send("before the bug").await;
    panic!("a bug in a stream");
}

/// The letters from `a`, of which a part can be read.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Letters(Range<u64>);

impl EffectKind for Letters {
    const KIND: &'static str = "letters";
    type Output = StreamEnd;
}

impl StreamKind for Letters {
    type Item = String;

    fn part(&self, bytes: Range<u64>) -> Option<Self> {
        Some(Self(self.0.start + bytes.start..self.0.start + bytes.end))
    }
}

struct LettersInterpreter;

impl Interpreter<Letters> for LettersInterpreter {
    fn start(&self, Letters(range): &Letters, context: &EffectContext) -> Started<EffectResult<Letters>> {
        let text: String = range.clone().map(|at| char::from(b'a' + u8::try_from(at).unwrap())).collect();
        Started::Pending(perform_stream(context, |to: StreamSender<String>| async move {
            to.send(text).await;
            Ok(())
        }))
    }
}

#[step]
fn send_rows(request: &Request) -> Result<Response, Failure> {
    let fails = request.uri.query() == Some("fails");
    Ok(Response::stream(rows(request.param("count")?, fails)).etag("rows"))
}

#[step]
fn send_events(request: &Request) -> Response {
    Response::stream(events(request.last_event_id().map(str::to_owned)))
}

#[step]
fn send_zeros(request: &Request) -> Result<Response, Failure> {
    let blocks: u64 = request.param("blocks")?;
    Ok(Response::stream(zeros(blocks).length(blocks << 16)))
}

#[step]
fn send_flood() -> Response {
    Response::stream(flood())
}

/// Renders failures as streams.
fn explain(_: &Failure, _: &Request) -> Response {
    Response::stream(rows(2, false)).status(StatusCode::NOT_FOUND)
}

#[step]
fn fail() -> Result<Response, Failure> {
    Err(Failure::not_found("row", 1))
}

#[step]
fn send_bug() -> Response {
    Response::stream(bug())
}

#[step]
fn send_letters(request: &Request) -> Result<Response, Failure> {
    Ok(Response::stream(ResponseStream::new(Letters(0..6)).length(request.param("length")?)).ranges())
}

#[step]
fn wait() -> Decision<()> {
    Need(sleep(1.millis()).conclude(|(), end| {
        assert!(end.response.is_some_and(|response| response.stream.is_some()));
        sleep(2.millis())
    }))
}

fn app(probe: &Arc<Probe>) -> App {
    App::new()
        .flow(flow!("rows", GET "/rows/{count}", steps: [send_rows]))
        .flow(flow!("rows-batch", GET "/batch/{count}", steps: [send_rows]).class(Class::Batch))
        .flow(flow!("rows-concluded", GET "/concluded/{count}", steps: [wait, send_rows]))
        .flow(flow!("events", GET "/events", steps: [send_events]))
        .flow(flow!("zeros", GET "/zeros/{blocks}", steps: [send_zeros]))
        .flow(flow!("flood", GET "/flood", steps: [send_flood]))
        .flow(flow!("explained", GET "/explained", steps: [fail]).on_failure(explain))
        .flow(flow!("bug", GET "/bug", steps: [send_bug]))
        .flow(flow!("letters", GET "/letters/{length}", steps: [send_letters]))
        .effect::<rows>()
        .effect::<events>()
        .effect::<zeros>()
        .effect::<flood>()
        .effect::<bug>()
        .interpreter::<Letters>(LettersInterpreter)
        .resource(Arc::clone(probe))
        .stuck_after(1.hours())
}

fn start_app() -> (Server, Arc<Collector>, Arc<Probe>) {
    let probe = Arc::new(Probe::default());
    let (server, collector) = start(app(&probe));
    (server, collector, probe)
}

fn lines(count: u64) -> String {
    (0..count).map(|number| format!("{{\"number\":{number}}}\n")).collect()
}

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
fn a_client_that_leaves_ends_the_stream() {
    let (server, collector, probe) = start_app();
    let (sender, dropped) = channel();
    *probe.ended.lock().unwrap() = Some(sender);
    let mut client = Client::connect(server.addr());
    client.send(get("/zeros/1000000"));
    assert!(client.is_answered_within(crate::raw_client::PATIENCE));
    drop(client);
    dropped.recv().unwrap();
    let capture = collector.one();
    assert_eq!((&capture.outcome, capture.status), (&Outcome::ClientLeft { step: 0 }, 200));
    assert!(capture.is_undelivered);
    assert_eq!(ended(&capture).0, "canceled");
    // An endless stream has no other end.
    let mut client = Client::connect(server.addr());
    let head = client.request(get("/events"));
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(client.chunk().as_deref(), Some("id: 0\ndata: event 0\n\n"));
    drop(client);
    dropped.recv().unwrap();
    let capture = &collector.wait_for(2)[1];
    assert_eq!((&capture.outcome, ended(capture).0.as_str()), (&Outcome::Done, "canceled"));
}

#[test]
fn a_client_continues_where_it_lost_its_connection() {
    let (server, _, probe) = start_app();
    let mut client = Client::connect(server.addr());
    client.request("GET /events HTTP/1.1\r\nhost: a\r\nlast-event-id: 41\r\n\r\n");
    assert_eq!(client.chunk().as_deref(), Some("id: 42\ndata: event 42\n\n"));
    probe.proceed.notify_one();
    assert_eq!(client.chunk().as_deref(), Some("id: 43\ndata: event 43\n\n"));
    let mut other = Client::connect(server.addr());
    other.request("GET /events HTTP/1.1\r\nhost: a\r\nlast-event-id: of another stream\r\n\r\n");
    assert_eq!(other.chunk().as_deref(), Some("id: 0\ndata: event 0\n\n"));
}

#[test]
fn a_client_that_does_not_read_holds_the_stream() {
    let probe = Arc::new(Probe::default());
    let (sender, dropped) = channel();
    *probe.ended.lock().unwrap() = Some(sender);
    let limits = Limits { write_stall: Duration::from_millis(200), ..Limits::default() };
    let (server, collector) = start(app(&probe).limits(limits));
    let mut client = Client::connect(server.addr());
    client.send(get("/zeros/1000000"));
    // The service closes the connection of a client that never reads.
    dropped.recv().unwrap();
    let capture = collector.one();
    assert_eq!(capture.outcome, Outcome::ClientLeft { step: 0 });
    // Of 64 GB, only what the buffers of the system and of the service hold was made.
    let made = probe.made.load(Ordering::SeqCst);
    assert!(made < 1_000, "{made} blocks of 64 KiB");
    let line = capture.events.iter().find_map(|event| match event {
        Event::Logged { level: LogLevel::Info, line, .. } => Value::from_recordable(&**line).ok(),
        _ => None,
    });
    assert!(line.is_none_or(|line| line.to_string().contains("waited for the client")));
}

#[test]
fn a_client_may_close_its_side_and_read_on() {
    let (server, collector, _) = start_app();
    let mut client = Client::connect(server.addr());
    client.send(get("/zeros/100"));
    client.half_close();
    assert_eq!(client.answer().unwrap().body.len(), 100 << 16);
    assert!(!collector.one().is_undelivered);
}

#[test]
fn the_deadline_of_a_request_ends_with_its_head() {
    let probe = Arc::new(Probe::default());
    let (server, _) = start(app(&probe).deadline(Duration::from_millis(50)));
    let mut client = Client::connect(server.addr());
    client.request(get("/events"));
    client.chunk().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    probe.proceed.notify_one();
    assert_eq!(client.chunk().as_deref(), Some("id: 1\ndata: event 1\n\n"));
}

#[test]
fn endless_streams_end_when_the_service_stops() {
    let (server, collector, _) = start_app();
    let mut client = Client::connect(server.addr());
    client.request(get("/events"));
    client.chunk().unwrap();
    let stopping = std::thread::spawn(move || server.stop());
    assert_eq!(client.chunks(), (String::new(), true));
    assert!(client.is_closed());
    stopping.join().unwrap();
    let capture = collector.one();
    assert_eq!((&capture.outcome, capture.is_undelivered), (&Outcome::Done, false));
}

#[test]
fn an_old_client_gets_the_body_until_the_connection_closes() {
    let (server, _, _) = start_app();
    let mut client = Client::connect(server.addr());
    client.send("GET /rows/2 HTTP/1.0\r\n\r\n");
    let head = client.head_answer().unwrap();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, None));
    assert_eq!(client.rest(), lines(2));
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
fn streams_of_http2_share_a_connection() {
    let probe = Arc::new(Probe::default());
    let (sender, dropped) = channel();
    *probe.ended.lock().unwrap() = Some(sender);
    let limits = Limits { write_stall: Duration::from_millis(300), ..Limits::default() };
    let (server, collector) = start(app(&probe).limits(limits));
    http2::block_on(async {
        let mut client = http2::connect(server.addr()).await;
        let mut events = client.send_request(http2::request("GET", "/events", "")).await.unwrap().into_body();
        let first = events.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first, "id: 0\ndata: event 0\n\n");
        let (status, _, body) = http2::fetch(&mut client, http2::request("GET", "/rows/1000", "")).await;
        assert_eq!((status, &body[..]), (200, lines(1000).as_bytes()));
        let (_, headers, body) = http2::fetch(&mut client, http2::request("GET", "/zeros/100", "")).await;
        assert_eq!((headers["content-length"].as_bytes(), body.len()), (b"6553600".as_slice(), 100 << 16));
        // A stream that has nothing to send is not one whose client does not read.
        tokio::time::sleep(Duration::from_millis(700)).await;
        probe.proceed.notify_one();
        let second = events.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(second, "id: 1\ndata: event 1\n\n");
        let broken = client.send_request(http2::request("GET", "/rows/2?fails", "")).await.unwrap();
        let mut broken = broken.into_body();
        let mut received = Vec::new();
        let error = loop {
            match broken.frame().await.unwrap() {
                Ok(frame) => received.extend_from_slice(&frame.into_data().unwrap()),
                Err(error) => break error,
            }
        };
        assert!(!error.is_timeout(), "{error}");
        assert_eq!(received, lines(2).as_bytes());
        drop(events);
    });
    // The first of them has ended already.
    dropped.recv().unwrap();
    dropped.recv().unwrap();
    let captures = collector.wait_for(4);
    let undelivered: Vec<_> =
        captures.iter().filter(|capture| capture.is_undelivered).map(|capture| &*capture.flow.name).collect();
    assert_eq!(undelivered, ["rows", "events"]);
}

#[test]
fn a_client_of_http2_that_does_not_read_holds_the_stream() {
    let probe = Arc::new(Probe::default());
    let (sender, dropped) = channel();
    *probe.ended.lock().unwrap() = Some(sender);
    let limits = Limits { write_stall: Duration::from_millis(200), ..Limits::default() };
    let (server, collector) = start(app(&probe).limits(limits));
    http2::block_on(async {
        let mut client = http2::connect(server.addr()).await;
        let unread = client.send_request(http2::request("GET", "/zeros/1000000", "")).await.unwrap();
        tokio::task::spawn_blocking(move || dropped.recv().unwrap()).await.unwrap();
        drop(unread);
    });
    assert_eq!(collector.one().outcome, Outcome::ClientLeft { step: 0 });
    let made = probe.made.load(Ordering::SeqCst);
    assert!(made < 100, "{made} blocks of 64 KiB");
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

#[test]
fn clients_that_never_read_do_not_hold_others() {
    let (server, collector, _) = start_app();
    let mut clients: Vec<_> = (0..20).map(|_| Client::connect(server.addr())).collect();
    for client in &mut clients {
        client.send(get("/flood"));
    }
    // Half of them read nothing.
    let (unread, readers) = clients.split_at_mut(10);
    for client in readers {
        assert_eq!(client.head_answer().unwrap().status, 200);
        for id in 0..50 {
            let event = client.chunk().unwrap();
            assert!(event.starts_with(&format!("id: {id}\ndata: 0")), "{}", &event[..20]);
        }
    }
    assert_eq!(Client::connect(server.addr()).request(get("/rows/0")).status, 200);
    assert_eq!(unread.len(), 10);
    drop(clients);
    let captures = collector.wait_for(21);
    assert!(captures.iter().all(|capture| capture.outcome == Outcome::Done));
}
