//! Failures: statuses, content, headers and rendering; and the location of a panic.

use serde::{Deserialize, Serialize};
use zerver_engine::Decision::Need;
use zerver_engine::{
    Decision, Effect, Failure, FailureKind, Request, Response, Slot, flow, install_panic_hook, step,
};
use zerver_trace::{Event, Outcome};

use crate::driver::{body, no_effects, run};

#[test]
fn each_kind_has_its_status_and_name() {
    use FailureKind as K;
    for (kind, status, name) in [
        (K::Invalid, 400, "invalid"),
        (K::Unauthorized, 401, "unauthorized"),
        (K::PaymentRequired, 402, "payment_required"),
        (K::Forbidden, 403, "forbidden"),
        (K::NotFound, 404, "not_found"),
        (K::MethodNotAllowed, 405, "method_not_allowed"),
        (K::NotAcceptable, 406, "not_acceptable"),
        (K::Conflict, 409, "conflict"),
        (K::Gone, 410, "gone"),
        (K::PreconditionFailed, 412, "precondition_failed"),
        (K::TooLarge, 413, "too_large"),
        (K::UnsupportedMediaType, 415, "unsupported_media_type"),
        (K::RangeNotSatisfiable, 416, "range_not_satisfiable"),
        (K::Unprocessable, 422, "unprocessable"),
        (K::Locked, 423, "locked"),
        (K::PreconditionRequired, 428, "precondition_required"),
        (K::Limited, 429, "limited"),
        (K::LegalReasons, 451, "legal_reasons"),
        (K::Internal, 500, "internal"),
        (K::NotImplemented, 501, "not_implemented"),
        (K::BadUpstream, 502, "bad_upstream"),
        (K::Unavailable, 503, "unavailable"),
        (K::Timeout, 504, "timeout"),
    ] {
        let failure = Failure::new(kind, "it");
        assert_eq!((failure.status(), failure.to_response().status.as_u16()), (status, status), "{name}");
        assert_eq!((kind.as_str(), failure.to_string()), (name, format!("{name} it")));
    }
}

#[test]
fn a_failure_returns_what_it_was_given() {
    let failure = Failure::unprocessable("article")
        .key(7)
        .message("two fields are invalid")
        .field("title", "is empty")
        .field("tags[1]", "is too long")
        .because(&std::io::Error::other("no dictionary"));
    assert_eq!((failure.kind(), failure.what()), (FailureKind::Unprocessable, "article"));
    assert_eq!((failure.which(), failure.message_text()), ("7", "two fields are invalid"));
    assert_eq!(failure.fields()[1].field, "tags[1]");
    assert_eq!(failure.fields()[1].message, "is too long");
    assert_eq!(failure.causes(), ["no dictionary"]);
    let line = "unprocessable article 7: two fields are invalid; title is empty; tags[1] is too long";
    assert_eq!(failure.to_string(), line);
    assert_eq!(
        failure.to_response().body,
        r#"{"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"two fields are invalid","kind":"unprocessable","what":"article","key":"7","fields":[{"field":"title","message":"is empty"},{"field":"tags[1]","message":"is too long"}]}"#
    );
}

#[test]
fn a_failure_sets_the_headers_that_its_status_needs() {
    let header = |failure: Failure, name: &str| {
        let response = failure.to_response();
        response
            .headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(header(Failure::limited("login", 30), "retry-after"), ["30"]);
    assert_eq!(header(Failure::unavailable("db").retry_after(5).retry_after(7), "retry-after"), ["7"]);
    assert_eq!(header(Failure::unauthorized("session"), "www-authenticate"), ["Bearer"]);
    let basic = Failure::unauthorized("session").header("www-authenticate", "Basic realm=\"a\"");
    assert_eq!(header(basic, "www-authenticate"), ["Basic realm=\"a\""]);
    let method = Failure::new(FailureKind::MethodNotAllowed, "draft").header("Allow", "GET, PUT");
    assert_eq!(header(method, "allow"), ["GET, PUT"]);
    // An invalid header is ignored: it neither splits the response nor panics.
    assert!(header(Failure::internal("it").header("x-a", "1\r\nx-b: 2"), "x-a").is_empty());
    assert!(header(Failure::internal("it").header("no name", "1"), "no name").is_empty());
}

#[derive(Slot, Serialize, Deserialize)]
struct Sum(u64);

#[step]
fn check(request: &Request) -> Result<Decision<Sum>, Failure> {
    match request.uri.query() {
        Some("step") => Err(Failure::unprocessable("todo").field("title", "is empty")),
        Some("effect") => Ok(Need(Effect::fail(Failure::not_found("todo", 7)))),
        _ => panic!("neither"),
    }
}

#[step]
fn show(sum: &Sum) -> Response {
    Response::text(sum.0.to_string())
}

fn render_as_text(failure: &Failure, request: &Request) -> Response {
    let fields: Vec<_> =
        failure.fields().iter().map(|invalid| format!("{} {}", invalid.field, invalid.message)).collect();
    Response::text(format!("{} {} {fields:?}", request.method, failure.kind()))
        .status(http::StatusCode::IM_A_TEAPOT)
}

#[test]
fn a_flow_can_render_its_own_failures() {
    let def = flow!("f", GET "/", steps: [check, show]).on_failure(render_as_text);
    for (target, expected) in [
        ("/?step", r#"GET unprocessable ["title is empty"]"#),
        ("/?effect", "GET not_found []"),
        ("/", "GET internal []"),
    ] {
        let ended = run(&def, Request::get(target), no_effects);
        assert_eq!((ended.response.as_ref().unwrap().status.as_u16(), body(&ended)), (418, expected));
    }
    let default = run(&flow!("f", GET "/", steps: [check, show]), Request::get("/?step"), no_effects);
    assert_eq!(default.response.unwrap().status.as_u16(), 422);
}

#[test]
fn a_panic_is_recorded_with_its_location() {
    install_panic_hook();
    let ended = run(&flow!("f", GET "/", steps: [check, show]), Request::get("/"), no_effects);
    assert!(matches!(ended.outcome, Outcome::Panicked { step: 0, .. }));
    let Some(Event::StepPanicked { step: 0, file, line, .. }) = ended.events.last() else {
        panic!("{:?}", ended.outcome)
    };
    assert!(file.ends_with("tests/it/failures.rs"), "{file}");
    let source = include_str!("failures.rs").lines().nth(*line as usize - 1).unwrap();
    assert!(source.contains(r#"panic!("neither")"#), "{source}");
}
