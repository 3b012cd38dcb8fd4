//! Bodies stream through, and no more than their beginnings are kept.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, head, post};
use http_body_util::BodyExt as _;
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use zerver_trace::{Event, Outcome};

use crate::harness::{Served, text};

/// Returns a body that ends when the sender is dropped.
fn channel_body() -> (mpsc::Sender<Bytes>, Body) {
    let (sender, mut receiver) = mpsc::channel::<Bytes>(1);
    let frame = |chunk: Bytes| Ok::<_, Infallible>(Frame::data(chunk));
    let stream = futures_util::stream::poll_fn(move |context| {
        receiver.poll_recv(context).map(|chunk| chunk.map(frame))
    });
    (sender, Body::new(StreamBody::new(stream)))
}

/// Returns an application that answers its first request with this body.
fn app_with(body: Body) -> Router {
    let body = Arc::new(Mutex::new(Some(body)));
    Router::new().route("/", get(move || async move { body.lock().unwrap().take().unwrap() }))
}

#[tokio::test]
async fn chunks_of_a_streamed_response_reach_the_client_one_by_one() {
    let (sender, body) = channel_body();
    let served = Served::start(app_with(body)).await;
    let mut socket = TcpStream::connect(served.addr).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut seen = String::new();
    for word in ["first", "second", "third"] {
        sender.send(Bytes::from_static(word.as_bytes())).await.unwrap();
        // The next chunk is sent only after this one has arrived, so a layer that waited would hang.
        while !seen.contains(word) {
            let mut buffer = [0; 1024];
            let read = socket.read(&mut buffer).await.unwrap();
            assert!(read > 0, "{seen}");
            seen += &String::from_utf8_lossy(&buffer[..read]);
        }
    }
    drop(sender);
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.unwrap();
    assert!(seen.contains("transfer-encoding: chunked"), "{seen}");
    let trace = served.only_trace().await;
    assert_eq!((trace.outcome.clone(), trace.is_undelivered), (Outcome::Done, false));
    assert_eq!(text(&trace.response_body.bytes), "firstsecondthird");
    let points = trace.events.iter().filter(|event| matches!(event, Event::EffectPoint { .. })).count();
    assert_eq!(points, 1, "the first byte: {:?}", trace.events);
    assert!(matches!(trace.events.last(), Some(Event::EffectCompleted { .. })), "{:?}", trace.events);
}

#[tokio::test]
async fn only_the_beginning_of_a_long_body_is_recorded() {
    let app = Router::new().route("/", post(|body: String| async move { body }));
    let served = Served::start(app).await;
    let body = "0123456789".repeat(20_000);
    let request = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let response = served.send(&request).await;
    assert!(response.ends_with(&body));
    let trace = served.only_trace().await;
    for recorded in [&trace.request_body, &trace.response_body] {
        assert_eq!((recorded.full_len, recorded.kept_len), (200_000, 64 << 10));
        assert!(body.starts_with(&text(&recorded.bytes)));
    }
}

#[tokio::test]
async fn a_body_that_the_handler_does_not_read_is_missing_and_not_empty() {
    let served = Served::start(Router::new().route("/", post(|| async { "no, thanks" }))).await;
    let response = served
        .send("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
        .await;
    assert!(response.ends_with("no, thanks"), "{response}");
    let trace = served.only_trace().await;
    assert_eq!((trace.request_body.full_len, trace.request_body.kept_len), (5, 0));
    let gaps: Vec<_> = zerver_analysis::Timeline::of(&trace).gaps.iter().map(ToString::to_string).collect();
    assert!(gaps.iter().any(|gap| gap == "5 bytes of the request's body not recorded"), "{gaps:?}");
    assert!(!trace.events.iter().any(|event| matches!(event, Event::BodyReceived { .. })));
}

/// Returns the most memory that this process has had, in KiB.
#[cfg(target_os = "linux")]
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_upload_of_100_mb_takes_no_more_memory_than_its_beginning() {
    const LEN: usize = 100_000_000;
    let app = Router::new()
        .route(
            "/",
            post(|body: Body| async move {
                let (mut body, mut len) = (body, 0);
                while let Some(frame) = body.frame().await {
                    len += frame.unwrap().data_ref().map_or(0, Bytes::len);
                }
                len.to_string()
            }),
        )
        .layer(DefaultBodyLimit::disable());
    let served = Served::start(app).await;
    let before = peak_kib();
    let mut socket = TcpStream::connect(served.addr).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {LEN}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    let chunk = vec![b'x'; 100_000];
    for _ in 0..LEN / chunk.len() {
        socket.write_all(&chunk).await.unwrap();
    }
    let mut response = String::new();
    socket.read_to_string(&mut response).await.unwrap();
    assert!(response.ends_with("100000000"), "{response}");
    let grown = peak_kib() - before;
    assert!(grown < 40_000, "{grown} KiB");
    let trace = served.only_trace().await;
    assert_eq!((trace.request_body.full_len, trace.request_body.kept_len), (LEN as u64, 64 << 10));
}

#[tokio::test]
async fn a_response_without_a_body_is_complete() {
    let app = Router::new()
        .route("/", head(|| async { "twelve bytes" }).get(|| async { "twelve bytes" }))
        .route("/none", get(|| async { http::StatusCode::NO_CONTENT }));
    let served = Served::start(app).await;
    let response = served.send("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(response.contains("content-length: 12\r\n") && response.ends_with("\r\n\r\n"), "{response}");
    served.get("/none", "").await;
    let traces = served.stop().await;
    let ended: Vec<_> =
        traces.iter().map(|trace| (trace.status, trace.is_undelivered, &trace.outcome)).collect();
    assert_eq!(ended, [(200, false, &Outcome::Done), (204, false, &Outcome::Done)]);
}

#[tokio::test]
async fn an_upgraded_connection_works_and_its_handshake_is_recorded() {
    let app = Router::new().route(
        "/",
        get(|mut request: axum::extract::Request| async move {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut io = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
                let mut buffer = [0; 4];
                io.read_exact(&mut buffer).await.unwrap();
                buffer.reverse();
                io.write_all(&buffer).await.unwrap();
            });
            let headers = [("connection", "upgrade"), ("upgrade", "reverse")];
            (http::StatusCode::SWITCHING_PROTOCOLS, headers)
        }),
    );
    let served = Served::start(app).await;
    let mut socket = TcpStream::connect(served.addr).await.unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: reverse\r\n\r\nabcd")
        .await
        .unwrap();
    let mut response = Vec::new();
    socket.read_to_end(&mut response).await.unwrap();
    let response = String::from_utf8(response).unwrap();
    assert!(response.starts_with("HTTP/1.1 101") && response.ends_with("dcba"), "{response}");
    let trace = served.only_trace().await;
    assert_eq!((trace.status, trace.is_undelivered), (101, false));
}
