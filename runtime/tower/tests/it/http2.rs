//! HTTP/2 and services in the manner of gRPC, whose status is in the trailers.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use http::{HeaderMap, Request, Response, Uri, Version};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tower_layer::Layer as _;
use zerver_trace::Outcome;

use crate::harness::{record, text, traces};

/// A unary service of gRPC, as tonic's are: generic over the body, and without routes.
#[derive(Clone)]
struct Echo;

impl<B> tower_service::Service<Request<B>> for Echo
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::fmt::Debug,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(async move {
            let is_known = request.uri().path() == "/echo.Echo/Say";
            let collected = request.into_body().collect().await.unwrap();
            let sent = collected.trailers().and_then(|trailers| trailers.get("x-sum").cloned());
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", if is_known { "0" } else { "12" }.parse().unwrap());
            if let Some(sent) = sent {
                trailers.insert("x-sum", sent);
            }
            let frames =
                [Ok::<_, Infallible>(Frame::data(collected.to_bytes())), Ok(Frame::trailers(trailers))];
            let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
            Ok(Response::builder().header("content-type", "application/grpc").body(body).unwrap())
        })
    }
}

#[tokio::test]
async fn trailers_pass_in_both_directions_and_are_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let service = record(dir.path()).layer(Echo);
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let service = hyper_util::service::TowerToHyperService::new(service);
        let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(socket), service);
        serving.await.unwrap();
    });
    let socket = TcpStream::connect(addr).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
    let client = tokio::spawn(connection);
    for path in ["/echo.Echo/Say", "/echo.Echo/Nothing"] {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "42".parse().unwrap());
        let frames = [
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"\0\0\0\0\x02hi"))),
            Ok(Frame::trailers(trailers)),
        ];
        let uri: Uri = format!("http://{addr}{path}").parse().unwrap();
        let request = Request::post(uri)
            .version(Version::HTTP_2)
            .header("content-type", "application/grpc")
            .body(StreamBody::new(futures_util::stream::iter(frames)))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let collected = response.into_body().collect().await.unwrap();
        let trailers = collected.trailers().unwrap();
        assert_eq!(trailers["x-sum"], "42");
        assert_eq!(trailers["grpc-status"], if path.ends_with("Say") { "0" } else { "12" });
        assert_eq!(collected.to_bytes().as_ref(), b"\0\0\0\0\x02hi");
    }
    drop(sender);
    client.await.unwrap().unwrap();
    server.await.unwrap();
    let traces = traces(dir.path());
    let flows: Vec<_> = traces.iter().map(|trace| trace.flow.name.as_str()).collect();
    assert_eq!(flows, ["post-echo-echo-say", "unmatched"]);
    let trace = &traces[0];
    assert_eq!(
        (trace.version.as_str(), &trace.outcome, trace.is_undelivered),
        ("HTTP/2.0", &Outcome::Done, false)
    );
    let status = trace.response_headers.iter().find(|header| header.name == "grpc-status").unwrap();
    assert_eq!(text(&status.value), "0");
    assert_eq!(trace.request_body.full_len, 7);
    assert_eq!(trace.origin.visible(), Some(("http".to_owned(), addr.to_string())));
}
