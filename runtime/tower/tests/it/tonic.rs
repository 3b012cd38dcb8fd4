//! tonic, with a service that is generated from a `.proto` file: the standard health service.

use std::pin::Pin;

use futures_util::Stream;
use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::transport::{Channel, Server, server::TcpIncoming};
use tonic::{Code, Request, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use zerver_trace::{FailureKind, Outcome, Trace};

use crate::harness::{record, text, traces};

/// Serves a health service behind the layer while `calls` runs, and returns the traces.
async fn served<H: Health, F: Future<Output = ()>>(
    health: HealthServer<H>,
    calls: impl FnOnce(HealthClient<Channel>, Channel) -> F,
) -> Vec<Trace> {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let router = Server::builder().layer(record(dir.path())).add_service(health);
    let serving =
        router.serve_with_incoming_shutdown(TcpIncoming::from(listener), async move { drop(stopped.await) });
    let server = tokio::spawn(serving);
    let channel = Channel::from_shared(format!("http://{addr}")).unwrap().connect().await.unwrap();
    calls(HealthClient::new(channel.clone()), channel).await;
    drop(stop);
    server.await.unwrap().unwrap();
    traces(dir.path())
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

fn header(trace: &Trace, name: &str) -> String {
    let found = trace.response_headers.iter().rev().find(|header| header.name == name);
    found.map_or_else(String::new, |header| text(&header.value))
}

#[tokio::test]
async fn calls_and_streams_of_tonic_are_recorded() {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("todos", ServingStatus::Serving).await;
    let traces = served(health, async |mut client, channel| {
        let answer = client.check(of("todos")).await.unwrap().into_inner();
        assert_eq!(answer.status, ServingStatus::Serving as i32);
        assert_eq!(client.check(of("missing")).await.unwrap_err().code(), Code::NotFound);
        let mut changes = client.watch(of("todos")).await.unwrap().into_inner();
        assert_eq!(changes.message().await.unwrap().unwrap().status, ServingStatus::Serving as i32);
        reporter.set_service_status("todos", ServingStatus::NotServing).await;
        assert_eq!(changes.message().await.unwrap().unwrap().status, ServingStatus::NotServing as i32);
        drop(changes);
        let mut other = tonic::client::Grpc::new(channel);
        other.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
        let path = PathAndQuery::from_static("/grpc.health.v1.Health/Nothing");
        let refused = other.unary(Request::new(of("todos")), path, codec).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented);
    })
    .await;
    let rows: Vec<_> = traces
        .iter()
        .map(|trace| (trace.flow.name.as_str(), trace.outcome.as_str(), header(trace, "grpc-status")))
        .map(|(flow, outcome, status)| format!("{flow} {outcome} {status}"))
        .collect();
    let (check, watch) = ("post-grpc-health-v1-health-check", "post-grpc-health-v1-health-watch");
    // The client canceled the stream, so that it has no status. An error that the client caused is an answer.
    let expected = [
        format!("{check} done 0"),
        format!("{check} done 5"),
        format!("{watch} done "),
        "unmatched done 12".to_owned(),
    ];
    assert_eq!(rows, expected);
    assert!(traces[2].is_undelivered);
    assert_eq!(traces[0].version, "HTTP/2.0");
    // Flag, length, and the message.
    assert_eq!((traces[0].request_body.full_len, traces[0].response_body.full_len), (12, 7));
}

/// A service that does not work.
struct Broken(Code);

#[tonic::async_trait]
impl Health for Broken {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        Err(Status::new(self.0, "the disk is 100% full: é"))
    }

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let parts = [Ok(HealthCheckResponse { status: 1 }), Err(Status::new(self.0, "half-way"))];
        Ok(Response::new(Box::pin(futures_util::stream::iter(parts))))
    }
}

#[tokio::test]
async fn an_error_of_a_grpc_service_is_a_failure_although_its_http_status_is_200() {
    for (code, kind, name) in [
        (Code::Unknown, FailureKind::Internal, "UNKNOWN"),
        (Code::DeadlineExceeded, FailureKind::Timeout, "DEADLINE_EXCEEDED"),
        (Code::Internal, FailureKind::Internal, "INTERNAL"),
        (Code::Unavailable, FailureKind::Unavailable, "UNAVAILABLE"),
        (Code::DataLoss, FailureKind::Internal, "DATA_LOSS"),
    ] {
        let traces = served(HealthServer::new(Broken(code)), async |mut client, _| {
            // Its status is among the headers, because there is no body.
            assert_eq!(client.check(of("todos")).await.unwrap_err().code(), code);
            // The status of this one is in the trailers.
            let mut stream = client.watch(of("todos")).await.unwrap().into_inner();
            assert!(stream.message().await.unwrap().is_some());
            assert_eq!(stream.message().await.unwrap_err().code(), code);
        })
        .await;
        let failures: Vec<_> = traces
            .iter()
            .map(|trace| match &trace.outcome {
                Outcome::Failed(failure) => (failure.kind, failure.key.as_str(), failure.message.as_str()),
                outcome => panic!("{code:?}: {outcome:?}"),
            })
            .collect();
        assert_eq!(failures, [(kind, name, "the disk is 100% full: é"), (kind, name, "half-way")]);
        assert!(traces.iter().all(|trace| trace.status == 200 && trace.summary().is_error()));
    }
}

#[tokio::test]
async fn an_error_that_the_client_caused_is_an_answer() {
    for code in [
        Code::Cancelled,
        Code::InvalidArgument,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::Aborted,
        Code::OutOfRange,
        Code::Unauthenticated,
    ] {
        let traces = served(HealthServer::new(Broken(code)), async |mut client, _| {
            assert_eq!(client.check(of("todos")).await.unwrap_err().code(), code);
        })
        .await;
        assert_eq!(traces[0].outcome, Outcome::Done, "{code:?}");
    }
}
