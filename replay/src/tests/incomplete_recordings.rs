//! Incomplete recordings: values that were left out, texts that were cut or masked. Also responses that differ only in
//! their bytes, long lists, and the order of findings.

use zerver_trace::{Event, MissingReason, Outcome, RedactedText, Redaction, TextPlace};

use super::*;
use crate::Sameness;

/// Answers with the request's body.
#[step]
fn answer(request: &Request) -> Response {
    let mut response = Response::json(&());
    response.body = request.body.clone();
    response
}

/// Answers with the request's body, without one of the headers.
#[step]
fn refuse(request: &Request) -> Result<Response, Failure> {
    Err(Failure::not_found("it", 1).message(String::from_utf8_lossy(&request.body)))
}

fn answering(body: &str) -> Trace {
    let request = Request { body: body.to_owned().into(), ..Request::get("/") };
    record(&answers(), request, false, usize::MAX)
}

fn answers() -> FlowDef {
    flow!("answers", GET "/", steps: [answer])
}

/// Replays a response that was recorded as `then` and is `now` today.
fn of_bodies(then: &str, now: &str) -> Report {
    let mut trace = answering(now);
    let whole = |text: &str| {
        let bytes = Recorded::Plain { value: Value::from_bytes(text.as_bytes()).unwrap(), summary: None };
        RecordedBody { full_len: text.len() as u64, kept_len: text.len() as u64, bytes }
    };
    (trace.request_body, trace.response_body) = (whole(now), whole(then));
    again(trace, &answers(), &Edits::default()).unwrap()
}

#[test]
fn a_value_that_was_not_recorded_makes_the_replay_incomplete() {
    let mut trace = recorded(4);
    for event in &mut trace.events {
        if let Event::SlotWritten { slot, value, .. } = event
            && trace.flow.slots[usize::from(*slot)].name == "Sum"
        {
            *value = Recorded::Missing(MissingReason::TooLarge);
        }
    }
    let report = again(trace, &sums(), &Edits::default()).unwrap();
    assert_eq!((report.sameness(), report.verdict()), (Sameness::Incomplete, "incomplete"));
    assert_eq!(report.not_compared, ["Sum: not recorded: too large"]);
    // The rest of a body that was cut is unknown.
    let mut trace = answering("[1,2,3]");
    let bytes = Recorded::Plain { value: Value::from_bytes(b"[1,").unwrap(), summary: None };
    trace.response_body = RecordedBody { full_len: 7, kept_len: 3, bytes };
    let report = again(trace.clone(), &answers(), &Edits::default()).unwrap();
    assert_eq!(report.verdict(), "incomplete");
    assert_eq!(report.not_compared, ["response.body after its first 3 bytes: not recorded"]);
    // The recorded part may differ.
    trace.response_body.bytes = Recorded::Plain { value: Value::from_bytes(b"[2,").unwrap(), summary: None };
    let report = again(trace.clone(), &answers(), &Edits::default()).unwrap();
    insta::assert_snapshot!(summary(&report), @"
    different: 1 of 1, 0 replayed, 0 unanswered
    code_changed  response.body: [2, -> [1,
    ");
    trace.response_body.bytes = Recorded::Plain { value: Value::from_bytes(b"[1,").unwrap(), summary: None };
    trace.response_body.full_len = 8;
    let report = again(trace, &answers(), &Edits::default()).unwrap();
    assert!(summary(&report).ends_with("response.body length: 8 bytes -> 7 bytes"), "{}", summary(&report));
}

#[test]
fn responses_are_compared_as_they_are_written() {
    let listed = |then: &str, now: &str| {
        let report = of_bodies(then, now);
        let line = |f: &Finding| format!("{}: {} -> {}", f.field, f.expected, f.got);
        report.findings.iter().map(line).filter(|line| !line.contains("content-length")).collect::<Vec<_>>()
    };
    assert_eq!(
        listed(r#"{"ref":1236546565217899832645,"n":1}"#, r#"{"ref":1236546565217899832640,"n":2}"#),
        ["response.body.ref: 1236546565217899832645 -> 1236546565217899832640", "response.body.n: 1 -> 2"]
    );
    assert_eq!(
        listed(r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
        ["response.body.a: 1 -> 2", "response.body.a: 2 -> nothing"]
    );
    assert_eq!(listed("[-0.0]", "[0.0]"), ["response.body.0: -0.0 -> 0.0"]);
    for (then, now, at) in [
        ("[1]", "[ 1]", 1),
        ("[1e2]", "[100.0]", 2),
        (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, 2),
        (r#"["A"]"#, r#"["\u0041"]"#, 2),
    ] {
        assert_eq!(
            listed(then, now),
            [format!("response.body written differently from byte {at}: {then} -> {now}")]
        );
    }
    assert!(of_bodies("[1]", "[1]").is_same());
    // Both sides are shown from where they differ.
    let long = "x".repeat(1_000);
    let lines = listed(&format!("{long} one"), &format!("{long} two"));
    let (a, b) = lines[0].split_once(" -> ").unwrap();
    assert!(a.ends_with("x one") && b.ends_with("x two") && a.len() < 400, "{lines:?}");
}

#[test]
fn a_long_list_shows_its_first_differences_and_counts_the_rest() {
    let list = |from: u32| {
        let items: Vec<_> = (from..from + 30_000).map(|n| n.to_string()).collect();
        format!("[{}]", items.join(","))
    };
    let report = of_bodies(&list(10_000), &list(10_001));
    let of_body: Vec<_> = report.findings.iter().filter(|f| f.field.starts_with("response.body")).collect();
    assert_eq!(of_body.len(), 8);
    assert_eq!(of_body[0].field, "response.body.0");
    assert_eq!(report.notes, ["29992 more places differ in response.body"]);
}

/// A client can send text that looks like a mark of the recorder.
#[test]
fn only_the_flag_of_the_recorder_marks_a_text_as_cut_or_masked() {
    let refusing = flow!("answers", GET "/", steps: [refuse]);
    let refused = |body: &str| {
        let request = Request { body: body.to_owned().into(), ..Request::get("/") };
        record(&refusing, request, false, usize::MAX)
    };
    let with = |trace: &Trace, message: &str, marks: Option<(bool, bool)>| {
        let mut trace = trace.clone();
        let Outcome::Failed(info) = &mut trace.outcome else { panic!("{:?}", trace.outcome) };
        info.message = message.to_owned();
        let text = |(is_cut, is_masked)| RedactedText { place: TextPlace::Message, is_cut, is_masked };
        trace.redaction = Redaction { key: None, texts: marks.map(text).into_iter().collect() };
        // Compare the outcome only.
        trace.response_body.kept_len = 0;
        let report = again(trace, &refusing, &Edits::default()).unwrap();
        let found = report.findings.iter().any(|finding| finding.field == "failure.message");
        let skipped = report.not_compared.iter().any(|what| what.starts_with("failure.message"));
        (found, skipped)
    };
    for text in ["no such thing…", "no such <secret:3f9a2c71d0e4> thing"] {
        let trace = refused(text);
        assert!(again(trace.clone(), &refusing, &Edits::default()).unwrap().is_same(), "{text}");
        assert_eq!(with(&trace, "another…", None), (true, false));
        assert_eq!(with(&trace, "another <secret:3f9a2c71d0e4>", None), (true, false));
    }
    let trace = refused("no such thing at all");
    assert_eq!(with(&trace, "no such th…", Some((true, false))), (false, true));
    assert_eq!(with(&trace, "no suchlike…", Some((true, false))), (true, false));
    assert_eq!(with(&trace, "no such <secret:3f9a2c71d0e4> at all", Some((false, true))), (false, true));
    assert_eq!(with(&trace, "no such <secret:3f9a2c71d0e4> in it", Some((false, true))), (true, false));
    // Equality with the cut text proves nothing.
    let trace = refused("no such th…");
    assert_eq!(with(&trace, "no such th…", Some((true, false))), (false, true));
}
