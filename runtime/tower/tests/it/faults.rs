//! Handlers that panic, clients that leave, bodies that break.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tower_service::Service as _;
use zerver_trace::{Answer, Event, Outcome};

use crate::harness::{Served, text};

#[tokio::test]
async fn a_panic_is_recorded_and_goes_on() {
    let app = Router::new()
        .route(
            "/now",
            get(|| async {
                if true {
                    panic!("no item {}", 7)
                }
            }),
        )
        .route(
            "/later",
            get(|| async {
                tokio::task::yield_now().await;
                if true {
                    panic!("later")
                }
            }),
        )
        .route("/well", get(|| async { "well" }));
    let served = Served::start(app).await;
    for target in ["/now", "/later"] {
        assert_eq!(
            served.get(target, "").await,
            "",
            "the connection of {target} ends as it does without the layer"
        );
    }
    assert!(served.get("/well", "").await.ends_with("well"));
    let outcomes: Vec<_> = served
        .stop()
        .await
        .into_iter()
        .map(|trace| (trace.flow.name.clone(), trace.status, trace.outcome))
        .collect();
    let panicked = |message: &str| Outcome::Panicked { step: 0, message: message.to_owned() };
    let expected = [
        ("get-now".to_owned(), 0, panicked("no item 7")),
        ("get-later".to_owned(), 0, panicked("later")),
        ("get-well".to_owned(), 200, Outcome::Done),
    ];
    assert_eq!(outcomes, expected);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_response_is_recorded() {
    let reached = Arc::new(Notify::new());
    let notify = Arc::clone(&reached);
    let app = Router::new().route(
        "/",
        get(move || async move {
            notify.notify_one();
            pending::<()>().await;
        }),
    );
    let served = Served::start(app).await;
    let mut socket = TcpStream::connect(served.addr).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    reached.notified().await;
    drop(socket);
    let trace = served.only_trace().await;
    assert_eq!((trace.status, trace.outcome), (0, Outcome::ClientLeft { step: 0 }));
}

#[tokio::test]
async fn a_future_that_the_host_drops_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let app = Router::new()
        .route("/", get(|| async { pending::<()>().await }))
        .layer(crate::harness::record(dir.path()));
    let mut service = app.clone();
    let request = http::Request::get("/").body(Body::empty()).unwrap();
    let mut future = Box::pin(service.call(request));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    drop((future, service, app));
    let traces = crate::harness::traces(dir.path());
    assert_eq!(traces[0].outcome, Outcome::ClientLeft { step: 0 });
}

#[tokio::test]
async fn a_client_that_leaves_a_streaming_response_is_recorded() {
    let app = Router::new().route(
        "/",
        get(|| async {
            let endless = futures_util::stream::repeat_with(|| {
                Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"tick ")))
            });
            Body::new(StreamBody::new(endless))
        }),
    );
    let served = Served::start(app).await;
    let mut socket = TcpStream::connect(served.addr).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut buffer = [0; 1000];
    socket.read_exact(&mut buffer).await.unwrap();
    drop(socket);
    let trace = served.only_trace().await;
    assert_eq!((trace.status, &trace.outcome, trace.is_undelivered), (200, &Outcome::Done, true));
    assert!(text(&trace.response_body.bytes).starts_with("tick tick "));
    // The stream is endless, so a layer that took what the client does not would never get here.
    assert!(trace.response_body.full_len < 64 << 20, "{}", trace.response_body.full_len);
    let canceled =
        |event: &Event<_>| matches!(event, Event::EffectCompleted { answer: Answer::Canceled, .. });
    assert!(trace.events.iter().any(canceled), "{:?}", trace.events);
}

#[tokio::test]
async fn a_response_that_breaks_off_is_a_failure() {
    let app = Router::new().route(
        "/",
        get(|| async {
            let frames =
                [Ok(Frame::data(Bytes::from_static(b"half"))), Err(io::Error::other("the disk is gone"))];
            Body::new(StreamBody::new(futures_util::stream::iter(frames)))
        }),
    );
    let served = Served::start(app).await;
    let response = served.get("/", "").await;
    assert!(!response.ends_with("0\r\n\r\n"), "the client sees a broken stream: {response}");
    let trace = served.only_trace().await;
    let Outcome::Failed(failure) = &trace.outcome else { panic!("{:?}", trace.outcome) };
    assert_eq!((&*failure.what, failure.message.as_str()), ("response body", "the disk is gone"));
    assert_eq!((trace.status, text(&trace.response_body.bytes).as_str()), (200, "half"));
}

#[tokio::test]
async fn a_stream_that_panics_is_recorded() {
    let app = Router::new().route(
        "/",
        get(|| async {
            let mut polls = 0;
            let stream = futures_util::stream::poll_fn(move |_| {
                polls += 1;
                assert!(polls < 2, "out of frames");
                std::task::Poll::Ready(Some(Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"one")))))
            });
            Body::new(StreamBody::new(stream))
        }),
    );
    let served = Served::start(app).await;
    served.get("/", "").await;
    let trace = served.only_trace().await;
    assert_eq!(trace.outcome, Outcome::Panicked { step: 0, message: "out of frames".to_owned() });
    assert_eq!(trace.status, 200);
}
