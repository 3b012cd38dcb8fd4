//! What cannot be replayed, must not be told, or is not the same twice.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

static LOOKS: AtomicU64 = AtomicU64::new(0);

/// What a step must not do: it looks at something that changes, and changes it.
#[step]
fn impure(sum: &Sum, sort: &Sort) -> Response {
    let looks = LOOKS.fetch_add(1, Ordering::Relaxed);
    Response::json(&(sum.of, sort, looks))
}

#[test]
fn a_step_that_is_not_the_same_twice_is_caught() {
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
fn the_second_run_counts_where_the_first_is_what_was_recorded() {
    let def = flow!("sums", GET "/", steps: [parse, ask, check, every_other]);
    let trace = record(&def, Request::get("/?n=4"), false, usize::MAX);
    let opened = Recording { trace, secrets: Secrets::default() };
    let (flow, edits, world) = (&ready(&def), &Edits::default(), ReplayContext::default());
    let report = Replay { recording: &opened, flow, route: &|_| true, edits, context: world }
        .run(&mut |_| {})
        .unwrap();
    insta::assert_snapshot!(told(&report), @r"
    different: 4 of 4, 2 fed, 0 unanswered
    nondeterminism  response.body.2: 0 -> 1
    ");
}

#[test]
fn each_run_is_reported_before_its_steps() {
    let of = |edits: &Edits, n: u64| {
        let opened = Recording { trace: recorded(n), secrets: Secrets::default() };
        let (flow, world) = (&ready(&sums()), ReplayContext::default());
        let mut told = Vec::new();
        let replay = Replay { recording: &opened, flow, route: &|_| true, edits, context: world };
        let report = replay.run(&mut |progress| match progress {
            Progress::RunStarted => told.push(0),
            Progress::StepStarting(_) => *told.last_mut().unwrap() += 1,
        });
        report.unwrap();
        told
    };
    assert_eq!(of(&Edits::default(), 4), [4, 4]);
    // Without the edits and with them, twice each.
    assert_eq!(of(&set("Sum.of=5000"), 4), [4, 3, 4, 3]);
}

#[test]
fn what_cannot_be_rebuilt_is_said() {
    let hashed = || Recorded::Hashed { hash: [1; 16], masked: None };
    // Nobody reads it.
    let mut trace = recorded(4);
    trace.request_headers.push(Header { name: "cookie".into(), value: hashed() });
    let report = again(trace.clone(), &sums(), &Edits::default()).unwrap();
    assert!(report.is_same() && report.notes[0].contains("cookie"), "{report:?}");
    // Somebody does.
    trace.request_headers[0].value = hashed();
    insta::assert_snapshot!(told(&again(trace.clone(), &sums(), &Edits::default()).unwrap()), @r"
    incomplete: 0 of 0, 0 fed, 0 unanswered
    impossible: the request's header authorization: only a hash of it is here; --request-header authorization=..
    impossible: the request's header cookie: only a hash of it is here; --request-header cookie=..
    ");
    let header = ("authorization".to_owned(), "Bearer canary-7".to_owned());
    let given = Edits { headers: vec![header], ..Edits::default() };
    assert!(again(trace, &sums(), &given).unwrap().is_same());
    // An answer.
    let mut trace = recorded(4);
    for event in &mut trace.events {
        if let zerver_trace::Event::EffectCompleted { answer: zerver_trace::Answer::Ok(output), .. } = event {
            *output = hashed();
        }
    }
    insta::assert_snapshot!(told(&again(trace, &sums(), &Edits::default()).unwrap()), @r"
    different: 2 of 4, 0 fed, 1 unanswered
    unanswered ask echo 4: an answer -> its recorded answer: only a hash of it is here
    ");
    // The end.
    let mut trace = recorded(4);
    trace.events.truncate(5);
    trace.events_dropped = 9;
    insta::assert_snapshot!(told(&again(trace, &sums(), &Edits::default()).unwrap()), @r"
    incomplete: 0 of 0, 0 fed, 0 unanswered
    impossible: what happened: 9 events were not recorded
    ");
}

#[test]
fn no_secret_is_told() {
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

/// What today's code marks as a secret is one, whatever its name says.
#[test]
fn a_header_that_is_marked_is_not_told() {
    let marks = flow!("sums", GET "/", steps: [parse, ask, check, mark]);
    for edits in [Edits::default(), set("Sum.of=7")] {
        let report = again(recorded(4), &marks, &edits).unwrap();
        let told = serde_json::to_string(&report.findings).unwrap() + &format!("{report:?}");
        assert!(!told.contains("wombat"), "{told}");
        let finding = report.findings.iter().find(|finding| finding.field == "response.headers.x-note");
        assert_eq!(finding.map(|finding| &finding.got), Some(&ReportedValue::Secret), "{told}");
        let headers = &report.response.as_ref().unwrap().headers;
        assert!(headers.contains(&("x-note".to_owned(), "●●●● (secret)".to_owned())), "{told}");
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
