//! Aliases of flows: served and redirected, with the headers that tell clients.

use zerver::StartOptions;
use zerver::prelude::*;

use crate::collector::{request, start};
use crate::raw_client::{Client, get};

#[step]
fn show(Path((shop, id)): Path<(String, u64)>) -> Response {
    Response::text(format!("{shop} {id}"))
}

fn app() -> App {
    App::new().flow(flow!("order" v2, GET "/v2/shops/{shop}/orders/{id}",
        owner: "checkout",
        aliases: [
            Alias::serve("/orders/{id}/of/{shop}").deprecated("2026-12-01").until("2027-03-01"),
            Alias::redirect("/v1/{shop}/{id}").deprecated("2026-12-01"),
            Alias::serve("/o/{shop}/{id}"),
        ],
        steps: [show]))
}

#[test]
fn a_served_alias_runs_the_steps_and_names_its_successor() {
    let (server, collector) = start(app());
    let mut client = Client::connect(server.addr());
    let answer = client.request(get("/orders/7/of/a%2Fb?x=1"));
    assert_eq!((answer.status, answer.body.as_str()), (200, "a/b 7"));
    assert_eq!(answer.header("deprecation"), Some("@1796083200"));
    assert_eq!(answer.header("sunset"), Some("Mon, 01 Mar 2027 00:00:00 GMT"));
    assert_eq!(answer.header("link"), Some("</v2/shops/a%2Fb/orders/7>; rel=\"successor-version\""));
    let capture = collector.one();
    assert_eq!(
        (capture.flow.name.as_str(), capture.flow.pattern.as_str()),
        ("order", "/v2/shops/{shop}/orders/{id}")
    );
    assert_eq!(request(&capture).0, "/orders/7/of/a%2Fb?x=1");
    // A parameter that does not parse fails as on the route.
    assert_eq!(client.request(get("/orders/x/of/a")).status, 404);
    let answer = client.request(get("/o/a/7"));
    assert_eq!((answer.status, answer.header("deprecation"), answer.header("sunset")), (200, None, None));
    assert_eq!(answer.header("link"), Some("</v2/shops/a/orders/7>; rel=\"successor-version\""));
    let answer = client.request(get("/v2/shops/a/orders/7"));
    assert_eq!((answer.body.as_str(), answer.header("link")), ("a 7", None));
}

#[test]
fn a_redirect_keeps_the_method_and_the_query() {
    let (server, collector) = start(app());
    let mut client = Client::connect(server.addr());
    let answer = client.request(get("/v1/a%2Fb/7?x=%2F&y"));
    assert_eq!((answer.status, answer.header("location")), (308, Some("/v2/shops/a%2Fb/orders/7?x=%2F&y")));
    assert_eq!((answer.header("deprecation"), answer.header("sunset")), (Some("@1796083200"), None));
    assert!(collector.one().events.is_empty(), "no step ran");
    // The methods of an alias are those of its flow.
    let answer = client.request("POST /v1/a/7 HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
    client.send("HEAD /v1/a/7 HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_eq!(client.head_answer().unwrap().status, 308);
}

#[test]
fn a_redirect_stays_on_this_host() {
    #[step]
    fn rest(Path(rest): Path<String>) -> Response {
        Response::text(rest)
    }

    let flow = flow!("files", GET "/{*rest}", aliases: [Alias::redirect("/old/{*rest}")], steps: [rest]);
    let (server, _) = start(App::new().flow(flow));
    let mut client = Client::connect(server.addr());
    let mut location = |target: &str| client.request(get(target)).header("location").map(str::to_owned);
    assert_eq!(location("/old/a/b").as_deref(), Some("/a/b"));
    assert_eq!(location("/old//evil.example").as_deref(), Some("/.//evil.example"));
    assert_eq!(location("/old/\\evil.example").as_deref(), Some("/%5Cevil.example"));
}

#[test]
fn conflicting_aliases_are_reported_at_the_start() {
    let check = |flows: [FlowDef; 2], message: &str| {
        let options = StartOptions { addr: Some("127.0.0.1:0".to_owned()), ..StartOptions::default() };
        let error = App::new().flows(flows).start(options).err().unwrap();
        assert_eq!(error.to_string(), message);
    };
    let other = flow!("b", GET "/b/{x}", steps: [show]);
    check(
        [flow!("a", GET "/a/{x}", aliases: [Alias::serve("/b/{x}")], steps: [show]), other],
        "flows a (GET /b/{x}) and b (GET /b/{x}) match the same requests",
    );
    check(
        [
            other,
            flow!("a", GET "/a/{x}", aliases: [Alias::serve("/c/{x}"), Alias::serve("/c/{x}")], steps: [show]),
        ],
        "flows a (GET /c/{x}) and a (GET /c/{x}) match the same requests",
    );
    check(
        [other, flow!("a", GET "/a/{x}", aliases: [Alias::redirect("/c/{y}")], steps: [show])],
        "flow a has an invalid route, GET /c/{y}: an alias must have the parameters of /a/{x}",
    );
    check(
        [other, flow!("a", GET "/a/{x}", aliases: [Alias::redirect("/c/{x}/{y}")], steps: [show])],
        "flow a has an invalid route, GET /c/{x}/{y}: an alias must have the parameters of /a/{x}",
    );
}
