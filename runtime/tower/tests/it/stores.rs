//! Stores that cannot be opened, and those that several layers use.

use axum::Router;
use axum::routing::get;
use zerver_recorder::{Recorder, RecorderOptions};
use zerver_tower::{Keep, Recording};

use crate::harness::{Served, traces};

#[tokio::test]
async fn without_a_store_requests_pass_unrecorded_and_the_reason_is_clear() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    let locked = dir.path().join("locked");
    let other = Recorder::open(RecorderOptions::new(&locked)).unwrap();
    for (path, reason) in [(&file, "file"), (&locked, "is in use by process")] {
        let error = zerver_tower::try_record(path).unwrap_err();
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        let message = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        assert!(message.contains(reason), "{message}");
        let record = zerver_tower::record(path);
        assert!(!record.is_recording());
        let kept = tempfile::tempdir().unwrap();
        let app = Router::new().route("/", get(|| async { "served" })).layer(record);
        let served = Served::start_layered(app, kept).await;
        let response = served.get("/", "").await;
        assert!(response.ends_with("served") && !response.contains("x-request-id"), "{response}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "not a folder");
    drop(other);
}

#[tokio::test]
async fn two_layers_of_one_directory_share_its_only_writer() {
    let dir = tempfile::tempdir().unwrap();
    let app = |answer: &'static str| {
        Router::new().route("/", get(move || async move { answer })).layer(crate::harness::record(dir.path()))
    };
    let (one, two) = (app("one"), app("two"));
    let path = dir.path().to_owned();
    let kept = tempfile::tempdir().unwrap();
    let (one, two) = (
        Served::start_layered(one, kept).await,
        Served::start_layered(two, tempfile::tempdir().unwrap()).await,
    );
    one.get("/", "").await;
    two.get("/", "").await;
    two.get("/", "").await;
    // The recorder is closed with the last layer.
    tokio::join!(one.end(), two.end());
    assert_eq!(traces(&path).len(), 3);
    // It can be opened again.
    assert!(crate::harness::record(&path).is_recording());
}

#[tokio::test]
async fn dropping_the_layer_writes_every_request() {
    let served = Served::start(Router::new().route("/{n}", get(|| async { "" }))).await;
    for n in 0..200 {
        served.get(&format!("/{n}"), "").await;
    }
    assert_eq!(served.stop().await.len(), 200);
}

#[tokio::test]
async fn flush_makes_requests_visible_while_the_service_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (path, record) = (dir.path().to_owned(), crate::harness::record(dir.path()));
    let app = Router::new().route("/", get(|| async { "" })).layer(record.clone());
    let mut service = app.clone();
    let request = http::Request::get("/").body(axum::body::Body::empty()).unwrap();
    let response = tower_service::Service::call(&mut service, request).await.unwrap();
    drop(response);
    record.flush();
    assert_eq!(traces(&path).len(), 1);
}

#[tokio::test]
async fn the_tail_keeps_failures_and_requests_with_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let recording = Recording {
        store: Some(dir.path().to_owned()),
        keep: Keep::Tail,
        sample: 0.0,
        token: Some("sesame".to_owned()),
        ..Recording::default()
    };
    let record = zerver_tower::try_record_with(recording).unwrap();
    let app = Router::new()
        .route("/", get(|| async { "" }))
        .route("/fails", get(|| async { http::StatusCode::INTERNAL_SERVER_ERROR }))
        .layer(record);
    let served = Served::start_layered(app, dir).await;
    served.get("/", "").await;
    served.get("/", "x-zerver-record: sesame\r\n").await;
    served.get("/", "x-zerver-record: other\r\n").await;
    served.get("/fails", "").await;
    let kept: Vec<_> =
        served.stop().await.iter().map(|trace| (trace.status, format!("{:?}", trace.kept))).collect();
    assert_eq!(kept, [(200, "Requested".to_owned()), (500, "Failed".to_owned())]);
}

#[tokio::test]
async fn recording_can_be_off() {
    let dir = tempfile::tempdir().unwrap();
    let recording = Recording { store: Some(dir.path().join("s")), keep: Keep::Off, ..Recording::default() };
    assert!(!zerver_tower::try_record_with(recording).unwrap().is_recording());
    assert!(!dir.path().join("s").exists());
}

#[tokio::test]
async fn mounted_flows_and_handlers_share_a_store_and_no_request_is_recorded_twice() {
    use zerver::prelude::*;

    #[step]
    fn greet() -> Response {
        Response::text("from a flow")
    }

    let dir = tempfile::tempdir().unwrap();
    let recording = Recording { store: Some(dir.path().to_owned()), keep: Keep::All, ..Recording::default() };
    let flows =
        App::new().flow(flow!("greet", GET "/greet", steps: [greet])).recording(recording).mount().unwrap();
    let app = Router::new()
        .route("/", get(|| async { "from a handler" }))
        .route_service("/greet", flows.service("greet"))
        .layer(zerver_tower::record_with_flows(&flows));
    drop(flows);
    let served = Served::start_layered(app, dir).await;
    let handled = served.get("/", "").await;
    let greeted = served.get("/greet", "").await;
    assert!(handled.ends_with("from a handler") && greeted.ends_with("from a flow"), "{handled} {greeted}");
    let dir = served.end().await;
    let traces = traces(dir.path());
    let recorded: Vec<_> = traces.iter().map(|trace| (trace.flow.name.as_str(), trace.has_steps())).collect();
    assert_eq!(recorded, [("get", false), ("greet", true)]);
    assert!(greeted.contains(&format!("x-request-id: {}", traces[1].id)), "{greeted}");
    let catalog = zerver_recorder::Reader::open(dir.path()).unwrap().flow_catalog().unwrap();
    let names: Vec<_> = catalog.flows.iter().map(|flow| flow.name.as_str()).collect();
    assert_eq!(names, ["greet", "get"]);
}
