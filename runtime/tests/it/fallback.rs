//! Another service that answers what no flow takes.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::{any, get as on_get, post as on_post};
use http_body_util::BodyExt as _;
use zerver::prelude::*;
use zerver_trace::{Capture, MessageInfo, Outcome, RecordedBy};

use crate::collector::start;
use crate::http2;
use crate::raw_client::{Client, get};

#[step]
fn flow_step() -> Response {
    Response::text("flow")
}

struct Dropped(Sender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
    }
}

/// A body of more bytes than it announces.
struct Longer(u8);

impl http_body::Body for Longer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        self.0 = self.0.saturating_sub(1);
        Poll::Ready((self.0 > 0).then(|| Ok(http_body::Frame::data(Bytes::from_static(b"12345")))))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(5)
    }
}

async fn panics() -> &'static str {
    panic!("an old bug")
}

fn router(dropped: Sender<()>) -> Router {
    let pending = move || {
        let dropped = Dropped(dropped.clone());
        async move {
            let _dropped = dropped;
            std::future::pending::<()>().await;
        }
    };
    Router::new()
        .route("/longer", on_get(|| async { Body::new(Longer(3)) }))
        .route("/old/{name}", on_get(|Path(name): Path<String>| async move { format!("old {name}") }))
        .route(
            "/old-status",
            on_get(|| async { (StatusCode::IM_A_TEAPOT, [("x-old", "yes")], "tea").into_response() }),
        )
        .route("/echo", on_post(|body: Body| async move { Body::new(body) }))
        .route("/sum", on_post(|body: Bytes| async move { body.len().to_string() }))
        .route("/shared", on_post(|| async { "posted" }))
        .route(
            "/spawns",
            on_get(|| async {
                let task = tokio::spawn(async {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    "from a task"
                });
                task.await.unwrap()
            }),
        )
        .route("/panics", on_get(panics))
        .route("/upgrades", on_get(|| async { StatusCode::SWITCHING_PROTOCOLS }))
        .route("/pending", on_get(pending))
        .route(
            "/broken",
            on_get(|| async {
                let pieces = [Ok("a piece"), Err(std::io::Error::other("the source is gone"))];
                Body::from_stream(futures_util::stream::iter(pieces))
            }),
        )
        .route(
            "/client",
            any(|request: axum::extract::Request| async move {
                let has = |has: bool| if has { "yes" } else { "no" };
                let extensions = request.extensions();
                format!(
                    "{} {} {}",
                    has(extensions.get::<SocketAddr>().is_some_and(|peer| peer.ip().is_loopback())),
                    has(extensions.get::<RequestId>().is_some()),
                    request.uri()
                )
            }),
        )
}

fn app() -> (App, std::sync::mpsc::Receiver<()>) {
    let (sender, dropped) = channel();
    let app = App::new()
        .flow(flow!("new", GET "/new", steps: [flow_step]))
        .flow(flow!("shared", GET "/shared", steps: [flow_step]))
        .fallback(router(sender));
    (app, dropped)
}

fn response(capture: &Capture) -> (u16, Vec<u8>, u64) {
    match capture.response.as_ref().unwrap().describe(usize::MAX) {
        MessageInfo::Response(response) => (response.status, response.body.bytes, response.body.full_len),
        MessageInfo::Request(_) => panic!("a request"),
    }
}

#[test]
fn old_routes_go_on_beside_flows() {
    let (app, _dropped) = app();
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(get("/new")).body, "flow");
    assert_eq!(client.request(get("/old/J%C3%B6rg")).body, "old Jörg");
    let teapot = client.request(get("/old-status"));
    assert_eq!((teapot.status, teapot.header("x-old"), &*teapot.body), (418, Some("yes"), "tea"));
    assert!(teapot.header("x-request-id").is_some() && teapot.header("date").is_some());
    assert_eq!(client.request(get("/nothing")).status, 404);
    assert_eq!(client.request(get("/shared")).body, "flow");
    assert_eq!(
        client.request("POST /shared HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").body,
        "posted"
    );
    assert_eq!(client.request(get("/spawns")).body, "from a task");
    assert_eq!(client.request(get("/client?x=1")).body, "yes yes /client?x=1");
    client.send("HEAD /old/ann HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.head_answer().unwrap().header("content-length"), Some("7"));
    let captures = collector.wait_for(9);
    let of = |target: &str| {
        captures.iter().find(|capture| crate::collector::request(capture).0 == target).unwrap()
    };
    let old = of("/old/J%C3%B6rg");
    assert_eq!((old.flow.name.as_str(), old.recorded_by), ("fallback", RecordedBy::Layer));
    assert_eq!((&old.outcome, old.is_undelivered), (&Outcome::Done, false));
    assert_eq!(response(old), (200, "old Jörg".as_bytes().to_vec(), 9));
    let nothing = of("/nothing");
    assert_eq!(
        (nothing.flow.name.as_str(), nothing.status, nothing.is_undelivered),
        ("fallback", 404, false)
    );
    assert_eq!(of("/new").recorded_by, RecordedBy::Runtime);
    assert!(captures.iter().all(|capture| capture.outcome == Outcome::Done && !capture.is_undelivered));
}

#[test]
fn bodies_are_passed_on_in_both_directions() {
    let (app, _dropped) = app();
    let (server, collector) =
        start(app.limits(zerver::Limits { body_bytes: 10, ..zerver::Limits::default() }));
    let mut client = Client::connect(server.addr());
    client.send("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
    // The response begins before the request has ended.
    let head = client.head_answer().unwrap();
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    assert_eq!(client.chunk().as_deref(), Some("hello"));
    client.send("6\r\n again\r\n0\r\n\r\n");
    assert_eq!(client.chunks(), (" again".to_owned(), true));
    let body = "x".repeat(1 << 20);
    client.send(format!("POST /sum HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    assert_eq!(client.answer().unwrap().body, "1048576");
    let captures = collector.wait_for(2);
    assert_eq!(response(&captures[0]), (200, b"hello again".to_vec(), 11));
    assert_eq!(crate::collector::request(&captures[0]).1, b"hello again");
    assert!(!captures[0].is_undelivered);
}

#[test]
fn what_goes_wrong_in_the_fallback_is_recorded() {
    let (app, dropped) = app();
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(get("/panics")).status, 500);
    let capture = collector.one();
    assert!(matches!(&capture.outcome, Outcome::Panicked { message, .. } if message == "an old bug"));
    client.request(get("/broken"));
    assert_eq!(client.chunks(), ("a piece".to_owned(), false));
    let capture = &collector.wait_for(2)[1];
    let Outcome::Failed(failure) = &capture.outcome else { panic!("{:?}", capture.outcome) };
    assert_eq!((&*failure.what, failure.message.as_str()), ("response body", "the source is gone"));
    assert!(capture.is_undelivered);
    let mut client = Client::connect(server.addr());
    assert_eq!(client.request(get("/longer")).body, "12345", "the client gets no more than was announced");
    assert_eq!(client.request(get("/upgrades")).status, 500);
    let Outcome::Failed(failure) = &collector.wait_for(4)[3].outcome else { panic!("an upgrade") };
    assert!(failure.message.contains("cannot take the connection"), "{failure:?}");
    let mut client = Client::connect(server.addr());
    client.send(get("/pending"));
    drop(client);
    dropped.recv().unwrap();
    assert_eq!(collector.wait_for(5)[4].outcome, Outcome::ClientLeft { step: 0 });
}

#[test]
fn http2_passes_trailers_on() {
    let trailers = |_: axum::extract::Request| async {
        let frames = [
            Ok::<_, std::convert::Infallible>(http_body::Frame::data(Bytes::from_static(b"data"))),
            Ok(http_body::Frame::trailers(
                [("grpc-status".parse().unwrap(), "0".parse().unwrap())].into_iter().collect(),
            )),
        ];
        Body::new(http_body_util::StreamBody::new(futures_util::stream::iter(frames)))
    };
    let (server, collector) = start(App::new().fallback(Router::new().route("/grpc", any(trailers))));
    http2::block_on(async {
        let mut client = http2::connect(server.addr()).await;
        let response = client.send_request(http2::request("POST", "/grpc", "x")).await.unwrap();
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(collected.to_bytes(), "data");
    });
    assert!(!collector.one().is_undelivered);
}
