//! Records of requests and responses, and that clients get the same responses as without.

use axum::extract::Query;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use http::{HeaderMap, StatusCode, header};
use serde_json::json;
use zerver_tower::RecordedRequest;
use zerver_trace::{Kept, Outcome, RecordedBy};

use crate::harness::{Served, header, text};

#[tokio::test]
async fn request_and_response_are_recorded_and_pass_unchanged() {
    let app = Router::new().route(
        "/orders/{id}",
        post(|Query(query): Query<Vec<(String, String)>>, body: String| async move {
            (StatusCode::CREATED, [("x-kind", "order")], format!("{query:?} {body}"))
        }),
    );
    let served = Served::start(app).await;
    let body = r#"{"sku":"a1"}"#;
    let request = format!(
        "POST /orders/7?fast=yes&fast=no HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let response = served.send(&request).await;
    let (head, answered) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201 Created"), "{head}");
    let expected = r#"[("fast", "yes"), ("fast", "no")] {"sku":"a1"}"#;
    assert_eq!(answered, expected);
    assert!(head.contains(&format!("content-length: {}", expected.len())), "{head}");

    let trace = served.only_trace().await;
    assert_eq!(trace.recorded_by, RecordedBy::Layer);
    assert_eq!(
        (trace.method.as_str(), trace.path.as_str(), trace.version.as_str()),
        ("POST", "/orders/7", "HTTP/1.1")
    );
    assert_eq!(text(&trace.target), "/orders/7?fast=yes&fast=no");
    assert!(trace.peer.starts_with("127.0.0.1:"), "{}", trace.peer);
    assert_eq!(header(&trace, "content-type"), "application/json");
    assert_eq!((trace.request_body.full_len, text(&trace.request_body.bytes)), (12, body.to_owned()));
    assert_eq!((trace.status, &trace.outcome, trace.is_undelivered), (201, &Outcome::Done, false));
    assert!(
        trace.response_headers.iter().any(|header| header.name == "x-kind" && text(&header.value) == "order")
    );
    assert_eq!(text(&trace.response_body.bytes), expected);
    assert_eq!(trace.kept, Kept::All);
    assert!(trace.duration_ns > 0 && trace.started_unix_ns > 0);
    assert!(!trace.build.is_empty());
    // The id that the client got.
    assert!(head.contains(&format!("x-request-id: {}", trace.id)), "{head}");
}

#[tokio::test]
async fn secrets_are_never_recorded_in_clear() {
    let app = Router::new().route(
        "/login",
        post(|| async {
            let cookie = [(header::SET_COOKIE, "session=Zq8vR3xW1pL0sT6y; HttpOnly")];
            (cookie, Json(json!({"access_token": "tok-93f1c07ab2d84e55", "user": "ada"})))
        }),
    );
    let served = Served::start(app).await;
    let body = "user=ada&password=correct-horse-battery";
    let request = format!(
        "POST /login?api_key=Kx81mmQp0aZZ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
         Authorization: Bearer eyJsZWdpdCI6dHJ1ZX0abc\r\nCookie: session=Ab3dEf6hIj9k\r\nx-zerver-record: try-this-token\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let response = served.send(&request).await;
    assert!(response.contains("tok-93f1c07ab2d84e55"), "{response}");
    let trace = served.only_trace().await;
    assert!(header(&trace, "authorization").contains("secret") || header(&trace, "authorization") == "-");
    let shown = format!("{trace:?}");
    for secret in [
        "eyJsZWdpdCI6dHJ1ZX0abc",
        "Ab3dEf6hIj9k",
        "Kx81mmQp0aZZ",
        "correct-horse-battery",
        "try-this-token",
        "Zq8vR3xW1pL0sT6y",
        "tok-93f1c07ab2d84e55",
    ] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(text(&trace.response_body.bytes).contains("ada"), "what is no secret stays");
}

#[tokio::test]
async fn the_parent_in_a_distributed_trace_is_recorded_and_reaches_the_handler() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let app = Router::new().route(
        "/",
        get(|headers: HeaderMap| async move {
            let text =
                |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
            format!("{} {}", text("traceparent"), text("tracestate"))
        }),
    );
    let served = Served::start(app).await;
    let response = served.get("/", &format!("traceparent: {parent}\r\ntracestate: a=b\r\n")).await;
    assert!(response.ends_with(&format!("{parent} a=b")), "{response}");
    let trace = served.only_trace().await;
    assert_eq!(
        (header(&trace, "traceparent"), header(&trace, "tracestate")),
        (parent.to_owned(), "a=b".to_owned())
    );
}

#[tokio::test]
async fn the_handler_knows_the_id_and_an_id_of_its_own_stays() {
    let app = Router::new()
        .route(
            "/id",
            get(|Extension(request): Extension<RecordedRequest>| async move { request.id().to_string() }),
        )
        .route("/own", get(|| async { ([("x-request-id", "mine")], "") }));
    let served = Served::start(app).await;
    let response = served.get("/id", "").await;
    let own = served.get("/own", "").await;
    assert!(own.contains("x-request-id: mine\r\n") && own.matches("x-request-id").count() == 1, "{own}");
    let traces = served.stop().await;
    assert!(response.ends_with(&traces[0].id.to_string()), "{response}");
}

#[tokio::test]
async fn a_request_behind_two_layers_is_recorded_once() {
    let dir = tempfile::tempdir().unwrap();
    let record = crate::harness::record(dir.path());
    let inner = Router::new().route("/{id}", get(|| async { "item" })).layer(record.clone());
    let app = Router::new().nest("/items", inner).layer(record);
    let served = Served::start_layered(app, dir).await;
    served.get("/items/1", "").await;
    assert_eq!(served.only_trace().await.flow.pattern, "/items/{id}");
}

#[tokio::test]
async fn odd_headers_are_recorded_as_they_are() {
    let app = Router::new().route("/", get(|headers: HeaderMap| async move { headers.len().to_string() }));
    let served = Served::start(app).await;
    let mut lines = String::new();
    for n in 0..60 {
        lines += &format!(
            "x-odd-{n}: {}\r\n",
            ["", " ", "\u{fc}\u{20ac}", "a,b,,c", "\"", "=?utf-8?b?4oKs?="][n % 6]
        );
    }
    lines += &format!("x-long: {}\r\n", "v".repeat(20_000));
    for _ in 0..30 {
        lines += "x-many: same\r\n";
    }
    let response = served.get("/", &lines).await;
    assert!(response.ends_with("93"), "{response}");
    let trace = served.only_trace().await;
    assert_eq!(trace.request_headers.len(), 93);
    assert_eq!(trace.request_headers.iter().filter(|header| header.name == "x-many").count(), 30);
    assert_eq!(header(&trace, "x-odd-2"), "\u{fc}\u{20ac}");
    assert_eq!(header(&trace, "x-odd-3"), "a,b,,c");
}
