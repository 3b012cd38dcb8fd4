//! Changes that a replay does not observe by design, as listed in docs/reference/replay.md, and similar ones that it does
//! observe.

use std::time::Duration;

use zerver_engine::Retry;

use super::*;

mod narrow {
    //! The same slots, one with a narrower number and one without its secret mark.

    use zerver_engine::{Failure, Request, Slot, step};

    use super::{Deserialize, Serialize};

    #[derive(Debug, Clone, PartialEq, Slot, Serialize, Deserialize)]
    pub(super) struct Start(pub(super) u16);

    #[derive(Debug, Clone, Slot, Serialize, Deserialize)]
    pub(super) struct Token(String);

    #[step]
    pub(super) fn parse(request: &Request) -> Result<(Start, Token), Failure> {
        let token = request.header("authorization").unwrap_or("none").to_owned();
        Ok((Start(request.query_as("n")?.unwrap_or(1)), Token(token)))
    }
}

use narrow::parse as parse_narrowly;

#[step]
fn only_parse(start: &Start, token: &Token) -> Response {
    headed(start.0, &token.0, [("x-one", "1"), ("x-two", "2")])
}

#[step]
fn tell_narrowly(start: &narrow::Start) -> Response {
    headed(start.0.into(), "Bearer canary-7", [("x-one", "1"), ("x-two", "2")])
}

fn headed(n: u64, token: &str, headers: [(&str, &str); 2]) -> Response {
    headers
        .iter()
        .fold(Response::json(&(n, token.len())), |response, (name, value)| response.header(name, value))
}

fn verdict(then: &FlowDef, now: &FlowDef) -> String {
    let request = Request::get("/?n=4").with_header("authorization", "Bearer canary-7");
    summary(&again(record(then, request, false, usize::MAX), now, &Edits::default()).unwrap())
}

#[test]
fn class_and_deadline_are_not_compared() {
    let then = flow!("sums", GET "/", steps: [parse, ask, check, render]);
    let now = || flow!("sums", GET "/", steps: [parse, ask, check, render]);
    for now in [now().class(Class::Batch), now().deadline(Duration::from_millis(1))] {
        assert_eq!(verdict(&then, &now), "same: 4 of 4, 2 replayed, 0 unanswered");
    }
}

#[test]
fn a_retry_policy_is_compared_by_its_attempts_only() {
    macro_rules! tried {
        ($retry:expr) => {{
            #[step]
            fn attempts(start: &Start) -> Decision<Sum> {
                let retry: Option<Retry> = $retry;
                let plan = effect(Echo(start.0));
                let plan = match retry {
                    Some(retry) => plan.retry(retry),
                    None => plan,
                };
                Need(plan.map(|of| Sum { of, sort: None }))
            }
            flow!("tried", GET "/", steps: [parse, attempts, tell_sum])
        }};
    }
    let then = tried!(Some(Retry::attempts(2)));
    for now in [
        tried!(Some(Retry::attempts(5))),
        tried!(Some(Retry::attempts(2).pause(Duration::from_secs(1), Duration::from_secs(9)))),
        tried!(Some(Retry::attempts(3).when(|_| false))),
        tried!(None),
    ] {
        assert_eq!(verdict(&then, &now), "same: 3 of 3, 1 replayed, 0 unanswered");
    }
    // A policy that changes what happened is observed.
    let mut tries = 0;
    let request = Request::get("/?n=4");
    let trace = record_by(&then, request, false, usize::MAX, &mut |call| {
        tries += 1;
        match tries {
            1 => Err(zerver_trace::EffectError::new(zerver_trace::EffectErrorKind::Timeout, "late")),
            _ => echo(call),
        }
    });
    assert!(!again(trace, &tried!(None), &Edits::default()).unwrap().is_same());
}

#[step]
fn tell_sum(sum: &Sum) -> Response {
    Response::json(&sum.of)
}

#[test]
fn the_order_of_headers_with_different_names_is_not_compared() {
    #[step]
    fn other_order(start: &Start, token: &Token) -> Response {
        headed(start.0, &token.0, [("x-two", "2"), ("x-one", "1")])
    }
    #[step]
    fn other_values(start: &Start, token: &Token) -> Response {
        headed(start.0, &token.0, [("x-one", "2"), ("x-two", "1")])
    }
    let then = flow!("headers", GET "/", steps: [parse, only_parse]);
    let now = flow!("headers", GET "/", steps: [parse, other_order]);
    let report = verdict(&then, &now);
    assert!(!report.contains("headers."), "{report}");
    let now = flow!("headers", GET "/", steps: [parse, other_values]);
    let report = verdict(&then, &now);
    assert!(report.contains("response.headers.x-one: 1 -> 2"), "{report}");
}

#[test]
fn secret_marks_and_number_widths_are_not_compared() {
    let then = flow!("widths", GET "/", steps: [parse, only_parse]);
    let now = flow!("widths", GET "/", steps: [parse_narrowly, tell_narrowly]);
    let report = verdict(&then, &now);
    assert!(!report.contains("Start") && !report.contains("Token") && !report.contains("body"), "{report}");
}
