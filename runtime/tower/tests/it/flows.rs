//! Requests are grouped by their routes.

use axum::Router;
use axum::routing::{any, get};

use crate::harness::Served;

#[tokio::test]
async fn a_request_has_the_flow_of_its_route_however_the_router_is_built() {
    let items = Router::new().route("/{id}", get(|| async { "item" })).route("/", get(|| async { "items" }));
    let app = Router::new().nest("/items", items).route("/any", any(|| async { "any" }));
    let served = Served::start(app).await;
    for target in ["/items/1", "/items/2?full=yes", "/items", "/any", "/nothing", "/items/1/nothing"] {
        served.get(target, "").await;
    }
    served.send("PURGE /any HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let traces = served.stop().await;
    let flows: Vec<_> = traces
        .iter()
        .map(|trace| (trace.flow.name.as_str(), trace.flow.pattern.as_str(), trace.status))
        .collect();
    let expected = [
        ("get-items-id", "/items/{id}", 200),
        ("get-items-id", "/items/{id}", 200),
        ("get-items", "/items", 200),
        ("get-any", "/any", 200),
        ("unmatched", "", 404),
        ("unmatched", "", 404),
        ("purge-any", "/any", 200),
    ];
    assert_eq!(flows, expected);
}

#[tokio::test]
async fn a_wrong_method_belongs_to_its_route() {
    let served = Served::start(Router::new().route("/items", get(|| async { "items" }))).await;
    served.send("POST /items HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let trace = served.only_trace().await;
    assert_eq!((trace.flow.name.as_str(), trace.status), ("post-items", 405));
}

#[tokio::test]
async fn the_flows_of_the_build_are_those_that_were_requested() {
    let app = Router::new().route("/a", get(|| async {})).route("/b/{c}", get(|| async {}));
    let served = Served::start(app).await;
    served.get("/b/1", "").await;
    served.get("/a", "").await;
    let dir = served.end().await;
    let catalog = zerver_recorder::Reader::open(dir.path()).unwrap().flow_catalog().unwrap();
    let flows: Vec<_> = catalog.flows.iter().map(|flow| flow.name.as_str()).collect();
    assert_eq!(flows, ["get-b-c", "get-a"]);
}
