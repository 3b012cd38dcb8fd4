//! Tests that were exported from recordings: what they accept, and their messages if the code behaves differently.

use std::panic::{AssertUnwindSafe, catch_unwind};

use zerver::effects::{any, http, kv};
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

#[step]
fn hedged(name: &Name) -> Decision<Greeting> {
    let greeting = http::get(format!("http://greetings.internal/{}", name.0)).json();
    Need(greeting.hedge(Hedge::after(1.millis())).map(|text| Greeting { text, times: None }))
}

#[step]
fn fastest(name: &Name) -> Decision<Greeting> {
    let greeting = |host: &str| http::get(format!("http://{host}.internal/{}", name.0)).json();
    let first = any([greeting("one"), greeting("two")]);
    Need(first.map(|text| Greeting { text, times: None }))
}

#[step]
fn repeated(name: &Name) -> Decision<Greeting> {
    let greeting = http::get(format!("http://greetings.internal/{}", name.0)).json();
    let retry = Retry::attempts(3).pause(1.millis(), 1.millis());
    Need(greeting.retry(retry).map(|text| Greeting { text, times: None }))
}

/// Starts a test of a flow whose second step is this one.
fn test_of(name: &'static str) -> TestRequest {
    let app = App::new()
        .flow(flow!("hedged", GET "/hedged/{name}", steps: [parse, hedged, render]))
        .flow(flow!("fastest", GET "/fastest/{name}", steps: [parse, fastest, render]))
        .flow(flow!("repeated", GET "/repeated/{name}", steps: [parse, repeated, render]));
    app.test(name).request("GET", &format!("/{name}/ann"))
}

fn get_args(host: &str) -> String {
    format!(
        r#"{{"method": "GET", "url": "http://{host}.internal/ann", "headers": [
            {{"name": "accept", "value": "application/json"}}], "body": "", "body_limit": null}}"#
    )
}

#[test]
fn the_losing_call_of_a_hedge_has_no_answer() {
    let args = get_args("greetings");
    let second_wins =
        test_of("hedged").no_answer_json("http", &args).answer_json("http", &args, HTTP_OUTPUT).run();
    assert_eq!(second_wins.status(), 200);
    let first_wins =
        test_of("hedged").answer_json("http", &args, HTTP_OUTPUT).no_answer_json("http", &args).run();
    assert_eq!(first_wins.status(), 200);
    let unplanned = || drop(test_of("hedged").no_answer_json("http", &args).run());
    fails(unplanned, "for which the test plans no result");
}

#[test]
fn results_come_in_the_order_of_the_plan() {
    let other = r#"{"status": 200, "headers": [], "body": "\"hi\""}"#;
    let (one, two) = (get_args("one"), get_args("two"));
    let two_first = test_of("fastest").answer_json("http", &two, other).no_answer_json("http", &one).run();
    two_first.assert_response(200, r#"["hi", "ann"]"#);
    let one_first =
        test_of("fastest").answer_json("http", &one, HTTP_OUTPUT).answer_json("http", &two, other).run();
    one_first.assert_response(200, r#"["hello", "ann"]"#);
}

#[test]
fn the_policy_of_a_target_repeats_a_call_or_does_not() {
    let args = get_args("greetings");
    let busy = r#"{"status": 503, "headers": [], "body": ""}"#;
    let stopped = test_of("repeated").answer_json("http", &args, busy).not_repeated().run();
    assert_eq!(stopped.status(), 502);
    // The effect alone would make no fourth attempt.
    let again = (0..3).fold(test_of("repeated"), |test, _| test.answer_json("http", &args, busy).repeated());
    assert_eq!(again.answer_json("http", &args, HTTP_OUTPUT).run().status(), 200);
}
