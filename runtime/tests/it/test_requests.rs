//! `App::test`: tests of flows without a server.

use std::panic::{AssertUnwindSafe, catch_unwind};

use zerver::effects::{http, kv};
use zerver::prelude::*;
use zerver::testing::TestRequest;
use zerver_trace::Outcome;

#[derive(Debug, PartialEq, Slot, Serialize, Deserialize)]
struct User {
    name: String,
}

#[derive(Debug, PartialEq, Slot, Serialize, Deserialize)]
struct Visits(i64);

fn verify(token: &str) -> Effect<User> {
    http::get("https://idp.example.com/verify").bearer(token).json()
}

#[step]
fn authenticate(request: &Request) -> Result<Decision<User>, Failure> {
    let token = request.bearer().ok_or_else(|| Failure::unauthorized("session"))?;
    Ok(Need(verify(token)))
}

#[step]
fn count(user: &User) -> Decision<Visits> {
    Need(kv::add(("visits", &*user.name), 1).map(Visits))
}

#[step]
fn greet(request: &Request, user: &User, visits: &Visits, now: &ArrivalTime) -> Response {
    let word = request.param_str("word").unwrap_or_default();
    Response::text(format!("{word} {}, {}, at {}", user.name, visits.0, now.unix_s()))
}

fn test() -> TestRequest {
    let flow = flow!("greet", GET "/greet/{word}", steps: [authenticate, count, greet]);
    App::new().flow(flow).test("greet").get("/greet/hello%20again").header("authorization", "Bearer t")
}

fn ann() -> http::Reply {
    http::Reply::from_json(&User { name: "ann".to_owned() }).unwrap()
}

#[test]
fn effects_return_the_results_that_a_test_plans() {
    let run =
        test().answer(verify("t"), ann()).answer(kv::add(("visits", "ann"), 1), kv::Answer::Number(7)).run();
    assert_eq!((run.status(), run.text().as_str()), (200, "hello again ann, 7, at 1700000000"));
    assert_eq!((run.slot::<Visits>(), &run.outcome), (Some(&Visits(7)), &Outcome::Done));
    let run = test().answer(verify("t"), ann()).kv(kv::Memory::new()).run();
    assert_eq!(run.slot::<Visits>(), Some(&Visits(1)));
    let run = test().fail(verify("t"), EffectErrorKind::Timeout, "too slow").run();
    assert_eq!(run.status(), 504);
}

#[step]
fn authenticate_with_retries(request: &Request) -> Decision<User> {
    Need(verify(request.bearer().unwrap_or_default()).retry(Retry::attempts(3)))
}

#[test]
fn each_attempt_receives_the_next_planned_result() {
    let test = || {
        let flow = flow!("greet", GET "/greet/{word}", steps: [authenticate_with_retries, count, greet]);
        let request = App::new().flow(flow).test("greet").get("/greet/hello");
        request.header("authorization", "Bearer t").kv(kv::Memory::new())
    };
    let busy = || http::Reply::new(503);
    let timeout = |request: TestRequest| request.fail(verify("t"), EffectErrorKind::Timeout, "too slow");
    let run = timeout(test()).answer(verify("t"), busy()).answer(verify("t"), ann()).run();
    assert_eq!((run.status(), run.text().as_str()), (200, "hello ann, 1, at 1700000000"));
    let attempts: Vec<_> = run
        .events
        .iter()
        .filter_map(|event| match event {
            zerver_trace::Event::EffectRequested { kind, attempt, .. } if &**kind == "http" => Some(*attempt),
            _ => None,
        })
        .collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(timeout(timeout(timeout(test()))).run().status(), 504);
    assert_eq!(test().answer(verify("t"), http::Reply::new(404)).run().status(), 502, "a 404 is not retried");
}

#[test]
fn a_mismatch_between_test_and_flow_is_reported() {
    let check = |request: &dyn Fn() -> TestRequest, message: &str| {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| request().run())) else {
            panic!("no panic: {message}")
        };
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains(message), "{text}");
    };
    check(&|| test(), "flow greet requests\n  http GET idp.example.com/verify with ");
    check(
        &|| test().answer(verify("other"), ann()),
        "it plans results for\n  http GET idp.example.com/verify",
    );
    check(
        &|| {
            test()
                .fail(verify("t"), EffectErrorKind::Timeout, "")
                .answer(kv::add(("a", 1), 1), kv::Answer::Number(1))
        },
        "flow greet never requested\n  kv add 1 to a:1",
    );
    check(&|| test().answer(verify("t"), 7), "not an output of http GET idp.example.com/verify: ");
    check(&|| test().get("/other"), "flow greet does not take GET /other; its route is GET /greet/{word}");
    check(&|| App::new().test("greet"), "no flow is named greet; the flows are ");
}
