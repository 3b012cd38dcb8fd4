//! A service with streams of each kind.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use bytes::Bytes;
use tokio::sync::Notify;
use zerver::Server;
use zerver::effects::stream::perform_stream;
use zerver::effects::{EffectContext, EffectResult, Interpreter, Started, sleep};
use zerver::engine::{ResponseStream, StreamEnd, StreamKind};
use zerver::prelude::*;

use crate::collector::{Collector, start};

/// State that the streams of a service share with its test.
#[derive(Default)]
pub(crate) struct Probe {
    /// Items that were made.
    pub(crate) made: AtomicU64,
    pub(crate) proceed: Notify,
    /// Receives a message when a stream is dropped or ends.
    pub(crate) ended: std::sync::Mutex<Option<Sender<()>>>,
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
pub(crate) struct Letters(pub(crate) Range<u64>);

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

pub(crate) struct LettersInterpreter;

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

#[step]
fn wait_long() -> Decision<()> {
    Need(sleep(1.hours()))
}

pub(crate) fn app(probe: &Arc<Probe>) -> App {
    App::new()
        .flow(flow!("rows", GET "/rows/{count}", steps: [send_rows]))
        .flow(flow!("rows-batch", GET "/batch/{count}", steps: [send_rows]).class(Class::Batch))
        .flow(flow!("rows-concluded", GET "/concluded/{count}", steps: [wait, send_rows]))
        .flow(flow!("never", GET "/never", steps: [wait_long, send_flood]))
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

pub(crate) fn start_app() -> (Server, Arc<Collector>, Arc<Probe>) {
    let probe = Arc::new(Probe::default());
    let (server, collector) = start(app(&probe));
    (server, collector, probe)
}

pub(crate) fn lines(count: u64) -> String {
    (0..count).map(|number| format!("{{\"number\":{number}}}\n")).collect()
}
