//! Tests that were exported from recordings: what they accept, and their messages if the code behaves differently.

use std::panic::{AssertUnwindSafe, catch_unwind};

use zerver::effects::{http, kv};
use zerver::prelude::*;
use zerver::testing::{TestRequest, TestResponse};

#[derive(Debug, Clone, Slot, Serialize, Deserialize)]
struct Name(String);

#[derive(Debug, Clone, Slot, Serialize, Deserialize)]
struct Greeting {
    text: String,
    times: Option<u8>,
}

#[step]
fn parse(request: &Request) -> Name {
    Name(request.param_str("name").unwrap_or("you").to_owned())
}

#[step]
fn load(name: &Name, request: &Request) -> Decision<Greeting> {
    let url = format!("http://greetings.internal/{}", name.0);
    let token = request.bearer().unwrap_or_default();
    Need(
        all((http::get(&url).bearer(token).json(), kv::add("greeted", 1)))
            .map(|(text, times)| Greeting { text, times: u8::try_from(times).ok() }),
    )
}

#[step]
fn render(greeting: &Greeting, name: &Name) -> Response {
    Response::json(&(&greeting.text, &name.0)).header("x-greeted", &format!("{:?}", greeting.times))
}

#[step]
fn render_twice(greeting: &Greeting, name: &Name) -> Response {
    Response::json(&(&greeting.text, &name.0, &name.0))
}

const HTTP_ARGS: &str = r#"{"method": "GET", "url": "http://greetings.internal/ann", "headers": [
    {"name": "authorization", "value": "Bearer <secret:3f9a2c71d0e4>"}, {"name": "accept", "value": "application/json"}],
    "body": "", "body_limit": null}"#;
const HTTP_OUTPUT: &str = r#"{"status": 200, "headers": [], "body": "\"hello\""}"#;
const KV_ARGS: &str = r#"{"Add": {"key": "greeted", "delta": 1, "expires_in_ms": null}}"#;

fn greet() -> TestRequest {
    App::new().flow(flow!("greet", GET "/greet/{name}", steps: [parse, load, render])).test("greet")
}

fn with_request(request: TestRequest) -> TestRequest {
    request
        .request("GET", "/greet/ann")
        .header("authorization", "Bearer t")
        .id("01a20380-f02e-760e-adbe-06e29f234726")
}

fn run_with_answers(request: TestRequest) -> TestResponse {
    with_request(request)
        .answer_json("http", HTTP_ARGS, HTTP_OUTPUT)
        .answer_json("kv", KV_ARGS, r#"{"Number": 3}"#)
        .run()
}

#[test]
fn a_run_of_the_same_code_passes() {
    let run = run_with_answers(greet());
    run.assert_steps(&[("parse", "continue"), ("load", "need"), ("render", "done")]);
    run.assert_slot("Name", r#""ann""#);
    run.assert_slot("Greeting", r#"{"times": 3, "text": "hel<secret>"}"#);
    run.assert_header("x-greeted", "Some(3)");
    run.assert_response(200, r#"["hello", "ann"]"#);
    let failed = with_request(greet()).fail_json("http", HTTP_ARGS, "timeout", "after 1s").answer_json(
        "kv",
        KV_ARGS,
        r#"{"Number": 3}"#,
    );
    let failed = failed.run();
    failed.assert_status(504);
    run.assert_success();
    fails(|| failed.assert_success(), "a status below 400");
}

#[track_caller]
fn fails(run: impl FnOnce(), message: &str) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(run)) else { panic!("nothing failed: {message}") };
    let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(text.contains(message), "{text}");
}

#[test]
fn the_message_shows_the_difference() {
    let run = run_with_answers(greet());
    fails(
        || run.assert_steps(&[("parse", "continue"), ("load", "done")]),
        "step 2 differs\n  expected  load: done\n  got       load: need",
    );
    fails(
        || run.assert_steps(&[("parse", "continue")]),
        "step 2 differs\n  expected  the end\n  got       load: need",
    );
    fails(
        || run.assert_slot("Greeting", r#"{"text": "hello", "times": 4}"#),
        "Greeting.times differs\n  expected  4\n  got       3",
    );
    fails(
        || run.assert_slot("Greeting", r#"{"text": "hello"}"#),
        "Greeting.times differs\n  expected  absent\n  got       3",
    );
    fails(|| run.assert_slot("Salute", "1"), "flow greet has no slot Salute");
    fails(|| run.assert_slot("Name", "{"), "is not JSON");
    fails(
        || run.assert_header("x-greeted", "None"),
        "response header x-greeted differs\n  expected  None\n  got       Some(3)",
    );
    fails(
        || run.assert_response(404, "{}"),
        "response status differs\n  expected  404\n  got       200 [\"hello\",\"ann\"]",
    );
    fails(
        || run.assert_response(200, r#"["hello","bob"]"#),
        "body.1 differs\n  expected  \"bob\"\n  got       \"ann\"",
    );
}

#[test]
fn changed_code_fails_the_test() {
    let changed = App::new().flow(flow!("greet", GET "/greet/{name}", steps: [parse, load, render_twice]));
    let run = run_with_answers(changed.test("greet"));
    let steps = [("parse", "continue"), ("load", "need"), ("render", "done")];
    fails(
        || run.assert_steps(&steps),
        "step 3 differs\n  expected  render: done\n  got       render_twice: done",
    );
    fails(
        || run.assert_response(200, r#"["hello","ann"]"#),
        "body.2 differs\n  expected  absent\n  got       \"ann\"",
    );
    // An effect without a planned answer.
    let other = HTTP_ARGS.replace("ann", "bob");
    fails(
        || drop(with_request(greet()).answer_json("http", &other, HTTP_OUTPUT).run()),
        "for which the test plans no result",
    );
    let wrong = || {
        drop(with_request(greet()).answer_json("http", HTTP_ARGS, "7").answer_json("kv", KV_ARGS, "7").run())
    };
    fails(wrong, "is not an output of");
}
