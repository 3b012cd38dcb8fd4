//! Selection of the flow that takes a request.

use std::collections::HashMap;

use zerver::prelude::*;
use zerver::{StartError, StartOptions};
use zerver_trace::Outcome;

use crate::collector::start;
use crate::raw_client::{Client, get};

#[step]
fn show(request: &Request) -> Response {
    let params: Vec<_> = request.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Response::text(format!("{} {}", request.method, params.join(",")))
}

#[step]
fn show_other(request: &Request) -> Response {
    Response::text(format!("other {}", request.uri.path()))
}

fn app() -> App {
    App::new()
        .flow(flow!("home", GET "/", steps: [show_other]))
        .flow(flow!("todos", GET "/v1/todos", steps: [show_other]))
        .flow(flow!("todos-add", POST "/v1/todos", steps: [show_other]))
        .flow(flow!("todo", GET "/v1/todos/{id}", steps: [show]))
        .flow(flow!("todo-put", PUT "/v1/todos/{todo}", steps: [show]))
        .flow(flow!("file", GET "/files/{*path}", steps: [show]))
        .flow(flow!("preflight", OPTIONS "/cors", steps: [show_other]))
}

#[test]
fn a_path_is_matched_before_its_parameters_are_decoded() {
    let (server, _) = start(app());
    let mut client = Client::connect(server.addr());
    let mut check = |target: &str, status: u16, body: &str| {
        let answer = client.request(get(target));
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{target}");
    };
    check("/", 200, "other /");
    check("/v1/todos?x=1", 200, "other /v1/todos");
    check("/v1/todos/7", 200, "GET id=7");
    check("/v1/todos/a%20b", 200, "GET id=a b");
    check("/v1/todos/%C3%BC", 200, "GET id=ü");
    // An encoded slash or dots do not change the route.
    check("/v1/todos/a%2Fb", 200, "GET id=a/b");
    check("/v1/todos/..%2f..%2f", 200, "GET id=../../");
    check("/v1/todos/..", 200, "GET id=..");
    check("/files/a/b%2Fc/../d", 200, "GET path=a/b/c/../d");
    let bad = r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"a parameter is not percent-encoded UTF-8 without NUL","kind":"invalid","what":"path"}"#;
    for target in ["/v1/todos/%zz", "/v1/todos/%", "/v1/todos/%2", "/v1/todos/%00", "/v1/todos/%ff"] {
        check(target, 400, bad);
    }
    for target in
        ["/v1/%74odos", "/v1//todos", "/v1/todos/", "/v1/./todos", "/V1/todos", "/v1/todos%2F7", "/nothing"]
    {
        let path = format!(
            r#"{{"type":"about:blank","title":"Not Found","status":404,"kind":"not_found","what":"path","key":"{target}"}}"#
        );
        check(target, 404, &path);
    }
}

#[test]
fn a_method_that_no_flow_takes_is_answered_with_the_allowed_methods() {
    let (server, _) = start(app());
    let mut client = Client::connect(server.addr());
    let mut check = |method: &str, target: &str, status: u16, allow: Option<&str>| {
        let answer = client.request(format!("{method} {target} HTTP/1.1\r\nhost: test\r\n\r\n"));
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{method} {target}");
        assert!(answer.header("x-request-id").is_some());
        answer.body
    };
    check("DELETE", "/v1/todos", 405, Some("GET, HEAD, OPTIONS, POST"));
    check("BREW", "/v1/todos/7", 405, Some("GET, HEAD, OPTIONS, PUT"));
    check("POST", "/nothing", 404, None);
    check("OPTIONS", "/v1/todos", 204, Some("GET, HEAD, OPTIONS, POST"));
    check("OPTIONS", "/cors", 200, None);
    check("OPTIONS", "*", 204, Some("GET, HEAD, OPTIONS, POST, PUT"));
    assert_eq!(check("PUT", "/v1/todos/7", 200, None), "PUT todo=7");
}

#[test]
fn a_head_request_receives_the_answer_of_a_get_without_the_body() {
    let (server, collector) = start(app());
    let mut client = Client::connect(server.addr());
    client.send("HEAD /v1/todos/7 HTTP/1.1\r\nhost: test\r\n\r\n");
    let answer = client.head_answer().unwrap();
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("9")));
    assert_eq!(client.request(get("/v1/todos/8")).body, "GET id=8");
    assert_eq!(collector.wait_for(2)[0].flow.name, "todo");
}

#[test]
fn a_request_that_no_flow_takes_is_captured_and_rendered_by_the_service() {
    let app = app().on_failure(|failure, _| {
        Response::text(failure.to_string()).header("access-control-allow-origin", "*")
    });
    let (server, collector) = start(app);
    let mut client = Client::connect(server.addr());
    let answer = client.request(get("/nothing?x"));
    assert_eq!((answer.status, answer.body.as_str()), (404, "not_found path /nothing"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let capture = collector.one();
    assert_eq!(capture.outcome, Outcome::Rejected { reason: "not_found path /nothing".to_owned() });
    assert_eq!((capture.flow.name.as_str(), capture.status), ("", 404));
    assert_eq!(crate::collector::request(&capture).0, "/nothing?x");
}

#[test]
fn conflicting_flows_are_reported_at_the_start() {
    let check = |flows: [FlowDef; 2], message: &str| {
        let options = StartOptions { addr: Some("127.0.0.1:0".to_owned()), ..StartOptions::default() };
        let error = App::new().flows(flows).start(options).err().unwrap();
        assert_eq!(error.to_string(), message);
    };
    check(
        [flow!("a", GET "/a/{x}", steps: [show]), flow!("b", GET "/a/{y}", steps: [show])],
        "flows a (GET /a/{x}) and b (GET /a/{y}) match the same requests",
    );
    check(
        [flow!("a", GET "/a", steps: [show]), flow!("a", GET "/b", steps: [show])],
        "two flows are named a: GET /a and GET /b; rename one of them",
    );
    check(
        [flow!("a", GET "/a/{x}", steps: [show]), flow!("b", PUT "/a/{*y}", steps: [show])],
        "flows a (GET /a/{x}) and b (PUT /a/{*y}) match the same requests",
    );
}

#[test]
fn the_error_about_a_port_in_use_suggests_a_free_port() {
    let (server, _) = start(app());
    let options = StartOptions { addr: Some(server.addr().to_string()), ..StartOptions::default() };
    let error = app().start(options).err().unwrap();
    let StartError::InUse { addr, free: Some(free) } = &error else { panic!("{error}") };
    assert_eq!(*addr, server.addr());
    assert!(error.to_string().starts_with(&format!("port {} of 127.0.0.1 is in use; port ", addr.port())));
    let options = StartOptions { addr: Some(free.to_string()), ..StartOptions::default() };
    assert_eq!(app().start(options).unwrap().addr(), *free);
}

#[test]
fn the_catalog_lists_the_flows() {
    let catalog = app().catalog().unwrap();
    let routes: HashMap<_, _> =
        catalog.iter().map(|flow| (flow.name.as_str(), flow.pattern.as_str())).collect();
    assert_eq!(routes.len(), 7);
    assert_eq!(routes["todo"], "/v1/todos/{id}");
}
