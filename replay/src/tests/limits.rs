//! Recordings that cannot be replayed, secrets, and nondeterminism.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

static LOOKS: AtomicU64 = AtomicU64::new(0);

/// Violates the rules of steps: it reads and changes something outside.
#[step]
fn impure(sum: &Sum, sort: &Sort) -> Response {
    let looks = LOOKS.fetch_add(1, Ordering::Relaxed);
    Response::json(&(sum.of, sort, looks))
}

#[test]
fn nondeterminism_is_found() {
    let def = flow!("sums", GET "/", steps: [parse, ask, check, impure]);
    let trace = record(&def, Request::get("/?n=4"), false, usize::MAX);
    let report = again(trace, &def, &Edits::default()).unwrap();
    assert!(!report.is_same());
    assert!(
        report.findings.iter().all(|finding| finding.class == FindingClass::Nondeterminism),
        "{report:?}"
    );
    assert_eq!(report.findings[0].field, "response.body.2");
}

static TURNS: AtomicU64 = AtomicU64::new(0);

#[step]
fn every_other(sum: &Sum, sort: &Sort) -> Response {
    Response::json(&(sum.of, sort, TURNS.fetch_add(1, Ordering::Relaxed) / 2))
}

#[test]
fn nondeterminism_is_found_if_only_the_second_run_differs() {
    let def = flow!("sums", GET "/", steps: [parse, ask, check, every_other]);
    let trace = record(&def, Request::get("/?n=4"), false, usize::MAX);
    let recording = Recording { trace, secrets: Secrets::default() };
    let (flow, edits, context) = (&ready(&def), &Edits::default(), ReplayContext::default());
    let report =
        Replay { recording: &recording, flow, route: &|_| true, edits, context }.run(&mut |_| {}).unwrap();
    insta::assert_snapshot!(summary(&report), @r"
    different: 4 of 4, 2 replayed, 0 unanswered
    nondeterminism  response.body.2: 0 -> 1
    ");
}

#[test]
fn each_run_is_reported_before_its_steps() {
    let of = |edits: &Edits, n: u64| {
        let recording = Recording { trace: recorded(n), secrets: Secrets::default() };
        let (flow, context) = (&ready(&sums()), ReplayContext::default());
        let mut text = Vec::new();
        let replay = Replay { recording: &recording, flow, route: &|_| true, edits, context };
        let report = replay.run(&mut |progress| match progress {
            Progress::RunStarted => text.push(0),
            Progress::StepStarting(_) => *text.last_mut().unwrap() += 1,
        });
        report.unwrap();
        text
    };
    assert_eq!(of(&Edits::default(), 4), [4, 4]);
    // Two runs without the edits and two with them, in turns.
    assert_eq!(of(&set("Sum.of=5000"), 4), [4, 3, 4, 3]);
}

#[test]
fn missing_inputs_are_named_if_they_are_needed() {
    let hashed = || Recorded::Hashed { hash: [1; 16], masked: None };
    // No step reads the header.
    let mut trace = recorded(4);
    trace.request_headers.push(Header { name: "cookie".into(), value: hashed() });
    let report = again(trace.clone(), &sums(), &Edits::default()).unwrap();
    assert!(report.is_same() && report.notes[0].contains("cookie"), "{report:?}");
    // A step reads the header.
    trace.request_headers[0].value = hashed();
    insta::assert_snapshot!(summary(&again(trace.clone(), &sums(), &Edits::default()).unwrap()), @r"
    incomplete: 0 of 0, 0 replayed, 0 unanswered
    missing: the request's header authorization: only a hash is available; --request-header authorization=..
    missing: the request's header cookie: only a hash is available; --request-header cookie=..
    ");
    let header = ("authorization".to_owned(), "Bearer canary-7".to_owned());
    let given = Edits { headers: vec![header], ..Edits::default() };
    assert!(again(trace, &sums(), &given).unwrap().is_same());
    // The output of an effect.
    let mut trace = recorded(4);
    for event in &mut trace.events {
        if let zerver_trace::Event::EffectCompleted { answer: zerver_trace::Answer::Ok(output), .. } = event {
            *output = hashed();
        }
    }
    insta::assert_snapshot!(summary(&again(trace, &sums(), &Edits::default()).unwrap()), @r"
    incomplete: 2 of 4, 0 replayed, 1 unanswered
    unrecorded ask echo 4: an answer -> its recorded answer: only a hash is available
    ");
    // The arguments of an effect.
    let mut trace = recorded(4);
    for event in &mut trace.events {
        if let zerver_trace::Event::EffectRequested { call: 1, args, .. } = event {
            *args = hashed();
        }
    }
    insta::assert_snapshot!(summary(&again(trace.clone(), &sums(), &Edits::default()).unwrap()), @r"
    incomplete: 2 of 4, 0 replayed, 1 unanswered
    unrecorded ask echo 5: an answer -> the arguments of echo (secret): only a hash is available
    ");
    // An edit supplies the answer.
    let answers = vec!["echo 5=50".parse().unwrap()];
    let report = again(trace, &sums(), &Edits { answers, ..Edits::default() }).unwrap();
    assert_eq!((report.coverage.effects_unanswered, report.coverage.effects_replayed), (0, 2), "{report:?}");
    // The end of the recording.
    let mut trace = recorded(4);
    trace.events.truncate(5);
    trace.events_dropped = 9;
    insta::assert_snapshot!(summary(&again(trace, &sums(), &Edits::default()).unwrap()), @r"
    incomplete: 0 of 0, 0 replayed, 0 unanswered
    missing: events: 9 were not recorded
    ");
}

#[test]
fn secrets_are_masked() {
    let header = ("authorization".to_owned(), "Bearer canary-8".to_owned());
    for edits in
        [Edits::default(), set(r#"Token="canary-9""#), Edits { headers: vec![header], ..Edits::default() }]
    {
        let leaky = flow!("sums", GET "/", steps: [parse, ask, leak]);
        let report = again(recorded(4), &leaky, &edits).unwrap();
        let json = serde_json::to_string(&report.findings).unwrap() + &format!("{report:?}");
        assert!(!json.contains("canary"), "{json}");
        assert!(json.contains("<secret>"), "{json}");
    }
}

/// A header that today's code marks as sensitive is secret, whatever its name.
#[test]
fn a_header_marked_as_sensitive_is_masked() {
    let marks = flow!("sums", GET "/", steps: [parse, ask, check, mark]);
    for edits in [Edits::default(), set("Sum.of=7")] {
        let report = again(recorded(4), &marks, &edits).unwrap();
        let text = serde_json::to_string(&report.findings).unwrap() + &format!("{report:?}");
        assert!(!text.contains("wombat"), "{text}");
        let finding = report.findings.iter().find(|finding| finding.field == "response.headers.x-note");
        assert_eq!(finding.map(|finding| &finding.got), Some(&ReportedValue::Secret), "{text}");
        let headers = &report.response.as_ref().unwrap().headers;
        assert!(headers.contains(&("x-note".to_owned(), "●●●● (secret)".to_owned())), "{text}");
    }
}

#[step]
fn mark(sum: &Sum) -> Response {
    let mut response = Response::text(sum.of.to_string());
    let mut value = http::HeaderValue::from_static("wombat");
    value.set_sensitive(true);
    response.headers.insert("x-note", value);
    response
}

#[step]
fn leak(token: &Token, sum: &Sum) -> Response {
    Response::text(format!("{} {}", token.0, sum.of))
}
