//! Bodies of requests that an effect reads piece by piece.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use tower_service::Service as _;
use zerver::effects::EffectContext;
use zerver::effects::stream::BodyError;
use zerver::prelude::*;
use zerver::{Limits, StartOptions};
use zerver_trace::{CaptureSink, MessageInfo, Outcome};

use crate::collector::{Collector, request, start};
use crate::http2;
use crate::raw_client::{Answer, Client, get};

/// Counts the bytes of the body, and stops after `at_most` pieces.
#[effect]
async fn count(at_most: u64, #[context] context: &EffectContext) -> Result<(u64, u64), BodyError> {
    let mut body = context.request_body()?;
    let (mut pieces, mut bytes) = (0, 0);
    while pieces < at_most
        && let Some(piece) = body.next().await?
    {
        pieces += 1;
        bytes += piece.len() as u64;
    }
    assert!(pieces == at_most || body.next().await?.is_none(), "the end is repeated");
    Ok((pieces, bytes))
}

#[effect]
async fn read_twice(#[context] context: &EffectContext) -> Result<(), BodyError> {
    let _body = context.request_body()?;
    context.request_body().map(drop)
}

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Size(u64);

#[step]
fn receive(request: &Request) -> Result<Decision<Size>, Failure> {
    assert!(request.body.is_empty(), "steps do not see the body");
    Ok(Need(count(request.query_as("pieces")?.unwrap_or(u64::MAX)).map(|(_, bytes)| Size(bytes))))
}

#[step]
fn receive_twice() -> Decision<Size> {
    Need(read_twice().map(|()| Size(0)))
}

#[step]
fn show(size: &Size) -> Response {
    Response::text(size.0.to_string())
}

const LIMIT: u64 = 8 << 20;

fn app() -> App {
    App::new()
        .flow(flow!("upload", POST "/upload", steps: [receive, show]).streamed_body(LIMIT))
        .flow(flow!("batch", POST "/batch", steps: [receive, show]).streamed_body(LIMIT).class(Class::Batch))
        .flow(flow!("small", POST "/small", steps: [receive_small, show]))
        .flow(flow!("twice", POST "/twice", steps: [receive_twice, show]).streamed_body(LIMIT))
        .flow(flow!("ping", GET "/ping", steps: [ping]))
        .effect::<count>()
        .effect::<read_twice>()
        .limits(Limits { body_bytes: 10, ..Limits::default() })
        .stuck_after(1.hours())
}

#[step]
fn receive_small() -> Decision<Size> {
    Need(count(1).map(|(_, bytes)| Size(bytes)))
}

#[step]
fn ping() -> Response {
    Response::text("pong")
}

fn post(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n")
}

fn seen(answer: &Answer) -> (u16, &str) {
    (answer.status, &answer.body)
}

#[test]
fn an_effect_reads_a_body_beyond_the_limit_of_the_program() {
    let (server, collector) = start(app());
    let mut client = Client::connect(server.addr());
    let body = "0123456789abcdef".repeat(300_000);
    for (at, path) in ["/upload", "/batch"].iter().enumerate() {
        client.send(post(path, body.len()));
        client.send(&body);
        assert_eq!(seen(&client.answer().unwrap()), (200, "4800000"), "{path}");
        // The recording has the beginning and the length.
        let capture = &collector.wait_for(at + 1)[at];
        let MessageInfo::Request(info) = capture.request.describe(usize::MAX) else { panic!() };
        assert_eq!((info.body.full_len, info.body.bytes), (4_800_000, body.as_bytes()[..16 << 10].to_vec()));
    }
    // The connection takes the next request, also after a body in chunks.
    client.send("POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    client.send("5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n");
    assert_eq!(seen(&client.answer().unwrap()), (200, "8"));
    assert_eq!(client.request(post("/upload", 0)).body, "0");
    assert_eq!(client.request(get("/ping")).body, "pong");
    assert_eq!(request(&collector.wait_for(5)[2]).1, b"abcdefgh");
}

#[test]
fn a_body_that_cannot_be_read_is_the_fault_of_the_client() {
    let limits = Limits { body_stall: Duration::from_millis(100), ..Limits::default() };
    let (server, collector) = start(app().limits(limits));
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(post("/upload", (LIMIT + 1) as usize)).status, 413, "announced");
    assert!(client.is_closed());
    let mut client = Client::connect(server.addr());
    client.send("POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    let piece = format!("{:x}\r\n{}\r\n", 1 << 20, "0".repeat(1 << 20));
    let mut is_open = true;
    for _ in 0..9 {
        is_open = is_open && client.try_send(piece.as_bytes()).is_ok();
    }
    assert_eq!(client.answer().unwrap().status, 413, "not announced");
    let mut client = Client::connect(server.addr());
    client.send(post("/upload", 100) + "a part");
    let answer = client.answer().unwrap();
    assert!(answer.status == 400 && answer.body.contains("too slowly"), "{answer:?}");
    assert!(client.is_closed());
    let mut client = Client::connect(server.addr());
    client.send(
        "POST /upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\nno chunk\r\n",
    );
    assert_eq!(client.answer().unwrap().status, 400);
    let mut client = Client::connect(server.addr());
    client.send(post("/upload", 100) + "a part");
    drop(client);
    let outcomes: Vec<_> = collector.wait_for(5).iter().map(|capture| capture.outcome.as_str()).collect();
    assert_eq!(outcomes[..4], ["rejected", "failed", "failed", "failed"]);
    assert!(matches!(collector.wait_for(5)[4].outcome, Outcome::Failed(_) | Outcome::ClientLeft { .. }));
}

#[test]
fn a_body_that_is_not_read_closes_the_connection() {
    let (server, _) = start(app());
    let mut client = Client::connect(server.addr());
    client.send(post("/upload?pieces=1", 4 << 20));
    client.send("0".repeat(1 << 20));
    assert_eq!(client.answer().unwrap().status, 200);
    let _ = client.try_send(&[b'0'; 4096]);
    assert!(client.is_closed());
}

#[test]
fn a_body_is_read_once_and_only_where_it_is_declared() {
    let (server, _) = start(app());
    let mut client = Client::connect(server.addr());
    let small = client.request(post("/small", 3) + "abc");
    assert_eq!(small.status, 500, "{small:?}");
    let twice = client.request(post("/twice", 3) + "abc");
    assert_eq!(twice.status, 500, "{twice:?}");
}

#[test]
fn http2_and_hosts_stream_bodies_too() {
    let (server, _) = start(app());
    let body = "0123456789abcdef".repeat(300_000);
    http2::block_on(async {
        let mut client = http2::connect(server.addr()).await;
        let (status, _, received) = http2::fetch(&mut client, http2::request("POST", "/upload", &body)).await;
        assert_eq!((status, &received[..]), (200, b"4800000".as_slice()));
    });
    let collector = Arc::new(Collector::default());
    let sink: Arc<dyn CaptureSink> = collector.clone();
    let options = StartOptions { sink: Some(sink), ..StartOptions::default() };
    let flows = app().limits(Limits::default()).workers(1).mount_with(options).unwrap();
    let call = ::http::Request::post("/upload").body("x".repeat(100_000)).unwrap();
    http2::block_on(async {
        let response = flows.all().call(call).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "100000");
    });
    assert_eq!(request(&collector.one()).1.len(), 16 << 10);
}
