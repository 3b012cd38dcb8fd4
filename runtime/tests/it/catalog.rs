//! The catalog and the OpenAPI document of a running service.

use std::time::Duration;

use serde_json::Value as Json;
use zerver::prelude::*;

use crate::collector::start;
use crate::raw_client::{Client, get};

#[slot]
struct Order {
    id: u64,
    note: Option<String>,
}

#[step]
fn load(Path(id): Path<u64>) -> Order {
    Order { id, note: None }
}

#[step]
fn show(order: &Order) -> Response {
    Response::json(order)
}

const SLO: Slo = Slo::new().p95(Duration::from_millis(50)).errors(0.001);

fn order() -> FlowDef {
    flow!("order-show" v2, GET "/v2/orders/{id}",
        owner: "checkout",
        summary: "Shows an order",
        aliases: [Alias::redirect("/orders/{id}").deprecated("2026-12-01").until("2027-03-01")],
        slo: SLO,
        responses: [ResponseDoc::json::<Order>(200, "The order")],
        steps: [load, show])
}

fn local(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}

#[test]
fn local_clients_get_the_catalog() {
    let (server, collector) = start(App::new().flow(order()).flow(flow!("home", GET "/", steps: [home])));
    let mut client = Client::connect(server.addr());
    let answer = client.request(local("/_zerver/catalog"));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let catalog: Json = serde_json::from_str(&answer.body).unwrap();
    let flow = &catalog["flows"][0];
    assert_eq!(
        (&flow["name"], &flow["version"], &flow["owner"]),
        (&"order-show".into(), &2.into(), &"checkout".into())
    );
    assert_eq!(
        flow["aliases"],
        serde_json::json!([{ "pattern": "/orders/{id}", "redirect": true, "deprecated": "2026-12-01", "until": "2027-03-01" }])
    );
    assert_eq!(flow["slo"], serde_json::json!({ "p95_ns": 50_000_000, "errors_ppm": 1_000 }));
    assert_eq!(flow["inputs"], serde_json::json!([{ "step": 0, "part": "path", "shape": "u64" }]));
    let shapes: Vec<_> =
        flow["slot_shapes"].as_array().unwrap().iter().map(|shape| shape.as_str().unwrap()).collect();
    assert_eq!(shapes, ["", "Order { id: u64, note?: text or null }"]);
    assert!(catalog["flows"][1].get("slo").is_none() && catalog["flows"][1].get("owner").is_none());
    let proxied = "GET /_zerver/catalog HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 203.0.113.1\r\n\r\n";
    assert_eq!(client.request(proxied).status, 404);
    assert_eq!(collector.one().status, 404, "the catalog is not recorded");
}

#[step]
fn home() -> Response {
    Response::text("home")
}

#[step]
fn load_again(Path(id): Path<u64>) -> Order {
    Order { id, note: None }
}

mod changed {
    use super::*;

    #[slot]
    pub(super) struct Order {
        id: u64,
        note: String,
    }

    #[step]
    pub(super) fn load(Path(id): Path<u64>) -> Order {
        Order { id, note: String::new() }
    }

    #[step]
    pub(super) fn show(order: &Order) -> Response {
        Response::json(order)
    }
}

/// Returns the plan hash of a flow, as its service tells it.
fn plan_hash(flow: FlowDef) -> String {
    let (server, _) = start(App::new().flow(flow));
    let answer = Client::connect(server.addr()).request(local("/_zerver/catalog"));
    let catalog: Json = serde_json::from_str(&answer.body).unwrap();
    catalog["flows"][0]["plan_hash"].as_str().unwrap().to_owned()
}

#[test]
fn a_plan_hash_is_that_of_what_the_flow_does() {
    let plain = plan_hash(flow!("a", GET "/a/{id}", steps: [load, show]));
    // It is the same in every build and on every machine.
    assert_eq!(plain, "7a03daf82babb736");
    let same = flow!("b" v3, GET "/a/{id}", owner: "me", slo: SLO, steps: [load, show]).class(Class::Batch);
    assert_eq!(plan_hash(same), plain);
    assert_ne!(plan_hash(flow!("a", PUT "/a/{id}", steps: [load, show])), plain);
    assert_ne!(plan_hash(flow!("a", GET "/b/{id}", steps: [load, show])), plain);
    assert_ne!(plan_hash(flow!("a", GET "/a/{id}", steps: [load_again, show])), plain, "another step");
    let shape = plan_hash(flow!("a", GET "/a/{id}", steps: [changed::load, changed::show]));
    assert_ne!(shape, plain, "another shape of a slot");
    assert_ne!(plan_hash(flow!("a", GET "/a/{id}", before: chain![load], steps: [home])), plain);
    assert_eq!(
        plan_hash(flow!("a", GET "/a/{id}", before: chain![load], steps: [show])),
        plain,
        "the same steps"
    );
}

#[test]
fn the_openapi_document_is_served_where_the_service_says() {
    let app = || App::new().api("Orders", "2.1").flow(order());
    let (server, _) = start(app());
    assert_eq!(Client::connect(server.addr()).request(local("/openapi.json")).status, 404);
    let (server, collector) = start(app().openapi(Some("/openapi.json")));
    let answer = Client::connect(server.addr()).request(get("/openapi.json"));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let document: Json = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(document["info"], serde_json::json!({ "title": "Orders", "version": "2.1" }));
    assert_eq!(document["paths"]["/v2/orders/{id}"]["get"]["operationId"], "order-show");
    drop(collector);
}
