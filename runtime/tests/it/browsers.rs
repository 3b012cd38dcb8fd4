//! Requests of browsers: preflights, requests of other sites, and headers of responses.

use zerver::prelude::*;
use zerver::{Cors, Csrf, SecurityHeaders};

use crate::collector::start;
use crate::raw_client::Client;

#[step]
fn ok() -> Response {
    Response::no_content()
}

#[step]
fn page() -> Response {
    Response::text("<p>").header("content-type", "text/html")
}

fn app() -> App {
    App::new()
        .flow(flow!("show", GET "/item", steps: [ok]))
        .flow(flow!("change", PUT "/item", steps: [ok]))
        .flow(flow!("own-options", OPTIONS "/own", steps: [page]))
        .flow(flow!("page", GET "/page", steps: [page]))
}

fn cors() -> Cors {
    Cors {
        origins: vec!["https://app.example".to_owned()],
        headers: vec!["authorization".to_owned()],
        ..Cors::default()
    }
}

fn ask(app: App, request: &str) -> crate::raw_client::Answer {
    let (server, _) = start(app);
    Client::connect(server.addr()).request(format!("{request}\r\nhost: test\r\n\r\n"))
}

#[test]
fn a_preflight_is_answered_without_a_step() {
    let (server, collector) = start(app().cors(cors()));
    let mut client = Client::connect(server.addr());
    let mut preflight = |path: &str, origin: &str, method: &str| {
        client.request(format!(
            "OPTIONS {path} HTTP/1.1\r\nhost: test\r\norigin: {origin}\r\naccess-control-request-method: {method}\r\n\
             access-control-request-headers: x-odd,AUTHORIZATION\r\n\r\n"
        ))
    };
    let allowed = preflight("/item", "https://app.example", "PUT");
    assert_eq!(allowed.status, 204);
    for (name, value) in [
        ("access-control-allow-origin", "https://app.example"),
        ("access-control-allow-methods", "GET, HEAD, OPTIONS, PUT"),
        ("access-control-allow-headers", "authorization"),
        ("access-control-max-age", "600"),
        ("vary", "access-control-request-method, access-control-request-headers"),
    ] {
        assert_eq!(allowed.header(name), Some(value), "{name}");
    }
    let refused = preflight("/item", "https://evil.example", "PUT");
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, None));
    assert!(refused.body.contains("cors.origins"), "{}", refused.body);
    assert_eq!(preflight("/item", "null", "PUT").status, 403);
    assert_eq!(preflight("/none", "https://app.example", "PUT").status, 404);
    assert_eq!(preflight("/own", "https://app.example", "PUT").status, 200, "the flow answers by itself");
    drop(client);
    server.stop();
    let captures = collector.wait_for(5);
    let steps = captures.iter().filter(|capture| capture.flow.name == "own-options").count();
    assert_eq!((captures.len(), steps), (5, 1));
}

#[test]
fn responses_say_who_may_read_them() {
    let of = |origin: &str| ask(app().cors(cors()), &format!("GET /item HTTP/1.1\r\norigin: {origin}"));
    let allowed = of("https://app.example");
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://app.example"));
    let other = of("https://evil.example");
    assert_eq!(
        (other.status, other.header("access-control-allow-origin"), other.header("vary")),
        (204, None, Some("origin"))
    );
    let missing = ask(app().cors(cors()), "GET /none HTTP/1.1\r\norigin: https://app.example");
    assert_eq!(
        (missing.status, missing.header("access-control-allow-origin")),
        (404, Some("https://app.example"))
    );
    let plain = ask(app(), "GET /item HTTP/1.1\r\norigin: https://app.example");
    assert_eq!((plain.header("access-control-allow-origin"), plain.header("vary")), (None, None));
}

#[test]
fn requests_of_other_sites_reach_no_step() {
    let csrf = || app().csrf(Csrf { protect: true, ..Csrf::default() });
    let cross = "sec-fetch-site: cross-site\r\norigin: https://evil.example";
    let refused = ask(csrf(), &format!("PUT /item HTTP/1.1\r\n{cross}"));
    assert!(refused.status == 403 && refused.body.contains("csrf.trusted"), "{}", refused.body);
    assert_eq!(ask(csrf(), &format!("GET /item HTTP/1.1\r\n{cross}")).status, 204);
    assert_eq!(
        ask(csrf(), "PUT /item HTTP/1.1\r\norigin: https://test").status,
        204,
        "the host is the own one"
    );
    assert_eq!(ask(csrf(), "PUT /item HTTP/1.1").status, 204, "not a browser");
    assert_eq!(ask(app(), &format!("PUT /item HTTP/1.1\r\n{cross}")).status, 204, "it is off by default");
    let cors = Cors { origins: vec!["https://evil.example".to_owned()], ..Cors::default() };
    assert_eq!(
        ask(csrf().cors(cors), &format!("PUT /item HTTP/1.1\r\n{cross}")).status,
        204,
        "cors allows it"
    );
}

#[test]
fn headers_for_browsers_are_added_to_each_response() {
    let headers = SecurityHeaders { add: true, ..SecurityHeaders::default() };
    for path in ["/item", "/none", "/healthz"] {
        let answer = ask(app().security_headers(headers.clone()), &format!("GET {path} HTTP/1.1"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(
            answer.header("content-security-policy"),
            Some("default-src 'none'; frame-ancestors 'none'")
        );
    }
    let page = ask(app().security_headers(headers), "GET /page HTTP/1.1");
    assert_eq!(
        (page.header("x-frame-options"), page.header("content-security-policy")),
        (Some("DENY"), None)
    );
}

#[test]
fn cookies_for_every_site_are_refused_at_the_start() {
    let cors = Cors { origins: vec!["*".to_owned()], credentials: true, ..Cors::default() };
    let error = App::new().cors(cors).start(zerver::StartOptions::default()).unwrap_err();
    assert!(error.to_string().contains("list the origins"), "{error}");
}
