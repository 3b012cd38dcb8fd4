//! Functions as steps: their descriptions, and how a flow runs them.

use serde::{Deserialize, Serialize};
use zerver_engine::Decision::{Continue, Done};
use zerver_engine::{
    ArrivalTime, Chain, Decision, Failure, Final, Flow, Random, Request, Response, Slot, Step, chain, flow,
    step,
};

use crate::driver::{body, no_effects, run};

#[derive(Debug, Clone, PartialEq, Slot, Serialize, Deserialize)]
#[slot(secret)]
struct Token(String);

#[derive(Debug, Clone, PartialEq, Slot, Serialize, Deserialize)]
struct Greeting(String);

#[derive(Debug, Clone, PartialEq, Slot, Serialize, Deserialize)]
struct Visits(u64);

/// Reads the bearer token.
#[step]
fn parse_token(request: &Request) -> Result<Token, Failure> {
    request.bearer().map(|token| Token(token.to_owned())).ok_or_else(|| Failure::unauthorized("session"))
}

#[step]
fn greet(token: &Token) -> (Greeting, Option<Visits>) {
    (Greeting(format!("hello, {}", token.0)), (token.0 == "ann").then_some(Visits(3)))
}

#[step]
fn answer(greeting: &Greeting, visits: Option<&Visits>) -> Decision<Final> {
    match visits {
        Some(visits) => Done(Response::text(format!("{} ({})", greeting.0, visits.0))),
        None => Done(Response::text(greeting.0.clone())),
    }
}

#[step]
fn write_nothing() -> Decision<()> {
    Continue(())
}

const AUTH: Chain = chain![parse_token];

#[test]
fn a_step_can_still_be_called_as_a_function() {
    let request = Request::get("/").with_header("authorization", "bearer ann");
    assert_eq!(parse_token(&request), Ok(Token("ann".into())));
    assert_eq!(parse_token(&Request::get("/")), Err(Failure::unauthorized("session")));
}

#[test]
fn a_step_is_described_by_its_signature() {
    let desc = <parse_token as Step>::DESC;
    assert_eq!((desc.name, desc.doc), ("parse_token", "Reads the bearer token."));
    assert!(desc.file.ends_with("steps.rs"));
    let source = include_str!("steps.rs").lines().nth(desc.line as usize - 1).unwrap();
    assert!(source.starts_with("fn parse_token"), "{source}");

    let flow =
        Flow::new(&flow!("greet", GET "/", before: AUTH, steps: [greet, answer]), |f, _| f.to_response());
    let info = flow.unwrap().info().clone();
    let slots: Vec<_> = info.slots.iter().map(|slot| (slot.name.as_str(), slot.is_secret)).collect();
    assert_eq!(slots, [("Request", false), ("Token", true), ("Greeting", false), ("Visits", false)]);
    assert_eq!(info.slots[1].path, concat!(module_path!(), "::Token"));
    let wiring = |step: usize| {
        let reads: Vec<_> = info.steps[step].reads.iter().map(|read| (read.slot, read.is_optional)).collect();
        let writes: Vec<_> =
            info.steps[step].writes.iter().map(|write| (write.slot, write.is_optional)).collect();
        (reads, writes)
    };
    assert_eq!(wiring(0), (vec![(0, false)], vec![(1, false)]));
    assert_eq!(wiring(1), (vec![(1, false)], vec![(2, false), (3, true)]));
    assert_eq!(wiring(2), (vec![(2, false), (3, true)], vec![]));
}

#[test]
fn steps_run_in_order_and_see_what_was_written() {
    let def = flow!("greet", GET "/", before: [AUTH, chain![write_nothing]], steps: [greet, answer]);
    let ask = |token: &str| {
        body(&run(&def, Request::get("/").with_header("authorization", token), no_effects)).to_owned()
    };
    assert_eq!(ask("Bearer ann"), "hello, ann (3)");
    assert_eq!(ask("Bearer bob"), "hello, bob");
    assert_eq!(
        ask("Basic bob"),
        r#"{"type":"about:blank","title":"Unauthorized","status":401,"kind":"unauthorized","what":"session"}"#
    );
}

#[test]
fn nothing_leaks_from_one_request_to_the_next() {
    let def = flow!("greet", GET "/", before: AUTH, steps: [greet, answer]);
    let ask = |token: &str| {
        body(&run(&def, Request::get("/").with_header("authorization", token), no_effects)).to_owned()
    };
    for _ in 0..100 {
        // Bob's request must not see a slot of Ann's.
        assert_eq!(ask("Bearer ann"), "hello, ann (3)");
        assert_eq!(ask("Bearer bob"), "hello, bob");
    }
}

#[test]
fn slots_are_dropped_with_their_request() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static ALIVE: AtomicUsize = AtomicUsize::new(0);

    #[derive(Slot, Serialize, Deserialize)]
    struct Counted(());
    impl Drop for Counted {
        fn drop(&mut self) {
            ALIVE.fetch_sub(1, Ordering::SeqCst);
        }
    }
    #[step]
    fn make() -> Counted {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Counted(())
    }
    #[step]
    fn end(_counted: &Counted) -> Response {
        Response::text(ALIVE.load(Ordering::SeqCst).to_string())
    }
    let def = flow!("count", GET "/", steps: [make, end]);
    for _ in 0..3 {
        assert_eq!(body(&run(&def, Request::get("/"), no_effects)), "1");
        assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn arrival_time_and_random_numbers_belong_to_the_request() {
    #[step]
    fn show(arrival: &ArrivalTime, random: &Random) -> Response {
        Response::text(format!("{} {}", arrival.unix_ns, random.u64(0)))
    }
    let def = flow!("show", GET "/", steps: [show]);
    let once = body(&run(&def, Request::get("/"), no_effects)).to_owned();
    assert_eq!(once, body(&run(&def, Request::get("/"), no_effects)));
    assert!(once.starts_with("1000 "));
}
