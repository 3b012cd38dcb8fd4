//! Conditional requests and parts of responses, as a client sees them.

use zerver::prelude::*;

use crate::collector::start;
use crate::raw_client::{Answer, Client};

#[step]
fn song() -> Response {
    Response::text("0123456789").etag("v1").ranges().cookie(Cookie::new("seen", "yes"))
}

#[step]
fn go(request: &Request) -> Response {
    Response::see_other(request.param_str("to").unwrap_or_default())
}

fn app() -> App {
    App::new().flow(flow!("song", GET "/song", steps: [song])).flow(flow!("go", GET "/go/{to}", steps: [go]))
}

#[test]
fn a_client_that_has_the_content_does_not_get_it_again() {
    let (server, collector) = start(app());
    let mut client = Client::connect(server.addr());
    let mut get =
        |headers: &str| client.request(format!("GET /song HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"));
    let all = |answer: &Answer| {
        let content_range = answer.header("content-range").unwrap_or_default().to_owned();
        (answer.status, answer.body.clone(), content_range)
    };
    assert_eq!(all(&get("")), (200, "0123456789".to_owned(), String::new()));
    let known = get("if-none-match: \"v1\"\r\n");
    assert_eq!(
        (all(&known).0, known.header("etag"), known.header("content-type")),
        (304, Some("\"v1\""), None)
    );
    assert_eq!(all(&get("range: bytes=2-4\r\n")), (206, "234".to_owned(), "bytes 2-4/10".to_owned()));
    assert_eq!(all(&get("range: bytes=20-\r\n")), (416, String::new(), "bytes */10".to_owned()));
    assert_eq!(get("if-match: \"v2\"\r\n").status, 412);
    // The connection stays usable, and the trace has what the client got.
    assert_eq!(get("").header("set-cookie"), Some("seen=yes; Path=/; Secure; HttpOnly; SameSite=Lax"));
    let statuses: Vec<_> = collector.wait_for(6).iter().map(|capture| capture.status).collect();
    assert_eq!(statuses, [200, 304, 206, 416, 412, 200]);
}

#[test]
fn a_redirect_cannot_set_another_header() {
    let (server, _) = start(app());
    let mut client = Client::connect(server.addr());
    let mut go = |to: &str| client.request(crate::raw_client::get(&format!("/go/{to}")));
    let answer = go("%2Fsong");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/song")));
    let split = go("%2F%0D%0Ax-split:%201");
    assert_eq!((split.header("location"), split.header("x-split")), (None, None));
}

#[test]
fn the_service_renders_a_precondition_that_fails() {
    let app = app().on_failure(|failure, _| {
        Response::text(format!("sorry: {failure}")).status(StatusCode::PRECONDITION_FAILED)
    });
    let (server, _) = start(app);
    let request = "GET /song HTTP/1.1\r\nhost: localhost\r\nif-match: \"v2\"\r\n\r\n";
    let answer = Client::connect(server.addr()).request(request);
    assert_eq!((answer.status, answer.body.as_str()), (412, "sorry: precondition_failed request /song"));
}
