//! The replay screen.

use zerver_replay::{Coverage, Finding, FindingClass, Refusal, Replied, Report, Seen, Source};
use zerver_trace::Value;

use super::*;
use crate::services::ReplayResult;

fn value(text: &str) -> Seen {
    Seen::Value(Value::from_serialize(&text).expect("a text is a value"))
}

fn finding(class: FindingClass, step: &str, field: &str, expected: Seen, got: Seen) -> Finding {
    let source = Some(Source { file: "src/main.rs".into(), line: 7 });
    Finding { class, step: step.into(), field: field.into(), expected, got, source }
}

pub(super) fn replayed(findings: Vec<Finding>) -> Message {
    let report = Report {
        coverage: Coverage { decisions: 3, decisions_recorded: 5, effects_fed: 1, ..Coverage::default() },
        findings,
        response: Some(Replied {
            status: 403,
            headers: Vec::new(),
            body: Some("{\"error\": \"no \u{1b}[31mrole\"}".into()),
            body_len: 18,
        }),
        ..Report::default()
    };
    Message::Replayed(1, Ok(Arc::new(ReplayResult { report, build: "todos 0.2.0".into() })))
}

fn replay(width: u16, height: u16) -> TestApp {
    let mut stage = TestApp::new(width, height, vec![sample::slow()]);
    stage.press("r");
    stage
}

pub(super) fn changed() -> Vec<Finding> {
    vec![
        finding(
            FindingClass::InputEdited,
            "verify_roles",
            "Claims.sub",
            value("user-123"),
            value("b\u{1b}ob"),
        ),
        finding(FindingClass::CodeChanged, "render_todo", "decision", Seen::text("done"), Seen::text("fail")),
        finding(FindingClass::CodeChanged, "", "response.body", value("{\"id\":  456}"), Seen::Secret),
    ]
}

/// Returns the edits of the latest replay.
fn asked(stage: &TestApp) -> Option<(u64, zerver_replay::Edits)> {
    stage.asked.iter().rev().find_map(|command| match command {
        Command::Replay { number, edits, .. } => Some((*number, edits.clone())),
        _ => None,
    })
}

#[test]
fn a_replay_on_80_columns() {
    insta::assert_snapshot!(replay(80, 24).send(replayed(changed())).text(), @r#"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     019aa4c2-1f3b  GET /v1/todos/456?full=1  200  todos-item
     different: 3 of 5 decisions came out again, 1 effect answered
    ─ slots, effects, request ──────────────────────────────────────────────────────
       AuthHeader                  ●●●● (secret)
       Claims                      {sub: "user-123", roles: ["admin"]}
       Todo                        {id: 456, title: "Buy milk", done: false}
       http GET idp.example.com/…  200
       kv get todo:456             {"id":456,"title":"Buy milk","done":false}
       host:                       localhost:3000
       authorization:              ●●●● (secret)
       body                        empty
    ─ what is different ────────────────────────────────────────────────────────────
     edit      verify_roles  Claims.sub     "user-123"         → "b\u{1b}ob"
     code      render_todo   decision       done               → fail
     code                    response.body  "{"id":  456}"     → ●●●● (secret)
    ─ response ─────────────────────────────────────────────────────────────────────
     recorded 200                           │ today 403
     {"id":  456}                           │ {"error": "no \u{1b}[31mrole"}
        - {"id":  456}
        + {"error": "no \u{1b}[31mrole"}


     tab other part  enter change/open  f fail  s step  ? keys  q quit
    "#);
}

#[test]
fn a_replay_on_200_columns() {
    insta::assert_snapshot!(replay(200, 20).send(replayed(changed())).press("<tab>").text(), @r#"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     019aa4c2-1f3b  GET /v1/todos/456?full=1  200  todos-item
     different: 3 of 5 decisions came out again, 1 effect answered
    ─ slots, effects, request ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
       AuthHeader                       ●●●● (secret)                                                                                                                                                      ┃
       Claims                           {sub: "user-123", roles: ["admin"]}                                                                                                                                ┃
       Todo                             {id: 456, title: "Buy milk", done: false}                                                                                                                          ┃
       http GET idp.example.com/verify  200                                                                                                                                                                ┃
       kv get todo:456                  {"id":456,"title":"Buy milk","done":false}
       host:                            localhost:3000
    ─ what is different ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
     edit      verify_roles  Claims.sub     "user-123"                                                                     → "b\u{1b}ob"
     code      render_todo   decision       done                                                                           → fail
     code                    response.body  "{"id":  456}"                                                                 → ●●●● (secret)
       Claims.sub  src/main.rs:7
       - "user-123"
       + "b\u{1b}ob"
    ─ response ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
     recorded 200                                                                                       │ today 403
     tab other part  enter change/open  f fail  s step  x take back  a answer  r again  esc back  ? keys  q quit
    "#);
}

#[test]
fn a_slot_is_changed_and_runs() {
    let mut stage = replay(80, 24);
    assert_eq!(asked(&stage), Some((1, zerver_replay::Edits::default())));
    stage.send(replayed(Vec::new())).press("j<enter><c-u>nonsense<enter>");
    assert!(stage.text().contains("is no JSON"), "{}", stage.text());
    assert_eq!(asked(&stage).map(|(number, _)| number), Some(1), "nothing runs with what is no JSON");
    stage.press("<c-u>.sub=\"bob\"<enter>");
    let (number, edits) = asked(&stage).unwrap();
    assert_eq!((number, edits.slots), (2, vec!["Claims.sub=\"bob\"".parse().unwrap()]));
    // The result of an older replay is ignored.
    stage.send(replayed(changed()));
    assert!(!stage.text().contains("render_todo"), "{}", stage.text());
    assert_eq!(asked(stage.press("s")).unwrap().1.at.as_deref(), Some("verify_roles"));
    assert_eq!(asked(stage.press("x")).unwrap().1, zerver_replay::Edits::default());
}

#[test]
fn an_edit_that_does_not_fit_keeps_its_editor_open() {
    let refused = |number| {
        let refusal = Refusal {
            what: "Claims.sub cannot be 5".into(),
            causes: vec!["expected a string".into()],
            hints: Vec::new(),
        };
        Message::Replayed(number, Err(refusal))
    };
    let mut stage = replay(80, 24);
    stage.send(replayed(Vec::new())).press("j<enter><c-u>.sub=5<enter>").send(refused(2));
    let text = stage.text();
    assert!(
        text.contains("Claims = .sub=5") && text.contains("Claims.sub cannot be 5: expected a string"),
        "{text}"
    );
    // The prompt stays open for correction, even after a second refusal.
    stage.press("<backspace>[7]<enter>").send(refused(3));
    assert_eq!(asked(&stage).unwrap().1.slots[0].json, "[7]");
    assert!(stage.text().contains("Claims = .sub=[7]"), "{}", stage.text());
    stage.press("<backspace>");
    assert!(!stage.text().contains("expected a string: "), "{}", stage.text());
    // Cancelling reverts only this edit.
    stage.press("<esc>");
    assert_eq!(asked(&stage).unwrap(), (4, zerver_replay::Edits::default()));
    assert_eq!(stage.app.tab, crate::screen::Tab::Replay);
    // An accepted edit closes the prompt, and late results do not reopen it.
    stage.press("<enter><c-u>.sub=\"bob\"<enter>").send(refused(4));
    assert!(!stage.text().contains("Claims = "), "{}", stage.text());
}

#[test]
fn a_slot_is_changed_in_an_editor() {
    let mut stage = replay(80, 24);
    stage.press("jE");
    let json = "{\"sub\":\"user-123\",\"roles\":[\"admin\"]}".to_owned();
    assert_eq!(stage.asked.last(), Some(&Command::EditText(json)));
    stage.send(Message::Edited(Ok("{\n  \"sub\": \"bob\"\n}\n".into())));
    assert_eq!(asked(&stage).unwrap().1.slots[0].json, "{ \"sub\": \"bob\" }");
    stage.press("E").send(Message::Edited(Err("there is no editor".into())));
    assert!(stage.text().contains("there is no editor"));
}

#[test]
fn a_secret_is_not_shown_to_be_edited() {
    let mut stage = replay(80, 24);
    stage.press("E");
    assert_eq!(stage.asked.last(), Some(&Command::EditText(String::new())));
}

#[test]
fn an_effect_without_an_answer_is_asked_for() {
    let mut stage = replay(80, 24);
    let why = Seen::text("it was not recorded");
    let unanswered = FindingClass::Unanswered;
    stage.send(replayed(vec![finding(
        unanswered,
        "load_todo",
        "kv get todo:9",
        Seen::text("an answer"),
        why,
    )]));
    let text = stage.text();
    assert!(text.contains("kv get todo:9 = {\"id\":456"), "what was recorded shows the form: {text}");
    stage.press("<c-u>null<enter>");
    assert_eq!(asked(&stage).unwrap().1.answers, ["kv get todo:9=null".parse().unwrap()]);
}

#[test]
fn a_finding_leads_to_its_step() {
    let mut stage = replay(80, 24);
    stage.send(replayed(changed())).press("<tab>j<enter>");
    assert!(stage.text().lines().any(|line| line.contains("render_todo")), "{}", stage.text());
    assert_eq!(stage.press("<esc>").text(), replay(80, 24).send(replayed(changed())).press("<tab>j").text());
}

#[test]
fn what_the_compiler_says_is_shown_with_what_to_do() {
    let refusal = Refusal {
        what: "todos could not be built".into(),
        causes: vec!["error[E0308]: mismatched types\n --> src/main.rs:7:5".into()],
        hints: vec!["mend it, and run the request again".into()],
    };
    let mut stage = replay(80, 18);
    insta::assert_snapshot!(stage.send(Message::Replayed(1, Err(refusal))).text(), @r#"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     019aa4c2-1f3b  GET /v1/todos/456?full=1  200  todos-item
     nothing was run
    ─ slots, effects, request ──────────────────────────────────────────────────────
       AuthHeader                  ●●●● (secret)                                   ┃
       Claims                      {sub: "user-123", roles: ["admin"]}             ┃
       Todo                        {id: 456, title: "Buy milk", done: false}       ┃
       http GET idp.example.com/…  200
       kv get todo:456             {"id":456,"title":"Buy milk","done":false}
    ─ what is different ────────────────────────────────────────────────────────────
     todos could not be built
       error[E0308]: mismatched types
        --> src/main.rs:7:5
     hint: mend it, and run the request again



     tab other part  enter change/open  f fail  s step  ? keys  q quit
    "#);
}

#[test]
fn what_goes_wrong_with_an_effect_and_how_it_would_have_ended() {
    let mut stage = replay(120, 24);
    stage.press("f");
    assert!(stage.text().contains("only effects fail"), "{}", stage.text());
    stage.press("jjjf");
    let (number, edits) = asked(&stage).unwrap();
    assert_eq!(
        edits.faults,
        [zerver_replay::Fault::failing("http GET idp.example.com/verify=timeout").unwrap()]
    );
    let ending = zerver_replay::Ending {
        outcome: "timed_out".into(),
        failure: "no answer within 2s".into(),
        failure_kind: "timeout".into(),
        call: Some(0),
        step: "lookup_user".into(),
        duration_ns: 2_000_100_000,
        recorded_ns: 5_400_000,
    };
    let report = Report { ending: Some(ending), ..Report::default() };
    stage.send(Message::Replayed(number, Ok(Arc::new(ReplayResult { report, build: String::new() }))));
    let text = stage.text();
    assert!(
        text.contains("ends timed_out after 2.00 s, recorded 5.40 ms  in lookup_user  no answer"),
        "{text}"
    );
    assert!(text.contains("→ timeout"), "{text}");
    stage.press("fffffx");
    assert!(asked(&stage).unwrap().1.is_empty());
}

#[test]
fn the_request_itself_may_be_different() {
    let mut stage = replay(120, 40);
    stage.press("Gkk<enter>");
    let text = stage.text();
    assert!(text.contains("the header of the request"), "{text}");
    stage.press("<c-u>text/html<enter>");
    stage.press("jjE");
    assert!(matches!(stage.asked.last(), Some(Command::EditText(_))), "{:?}", stage.asked);
    stage.send(Message::Edited(Ok("{\n}\n".into())));
    let edits = asked(&stage).unwrap().1;
    assert_eq!((&*edits.headers[0].1, edits.body.as_deref()), ("text/html", Some(&b"{\n}"[..])));
}

#[test]
fn a_secret_that_is_not_in_the_file_is_asked_for_and_not_shown() {
    let mut trace = sample::slow();
    for header in trace.request_headers.iter_mut().filter(|header| header.name == "authorization") {
        header.value = zerver_trace::Recorded::Hashed { hash: [7; 16], masked: None };
    }
    let mut stage = TestApp::new(120, 40, vec![trace]);
    stage.press("r");
    let why =
        "the request's header authorization: only a hash of it is here; --request-header authorization=..";
    let report = Report { impossible: vec![why.into()], ..Report::default() };
    let replayed = Arc::new(ReplayResult { report, build: String::new() });
    stage.send(Message::Replayed(asked(&stage).unwrap().0, Ok(Arc::clone(&replayed))));
    let text = stage.text();
    assert!(text.contains(
        "cannot be run: the request's header authorization: only a hash of it is here; a: type it"
    ));
    assert!(text.contains("it is a secret that is not here"), "{text}");
    let text = stage.press("Bearer s3same").text();
    assert!(text.contains("authorization = *************") && !text.contains("s3same"), "{text}");
    stage.send(Message::Input(Event::Paste("-x".into())));
    let text = stage.press("<enter>").text();
    let edits = asked(&stage).unwrap().1;
    assert_eq!(edits.headers, [("authorization".to_owned(), "Bearer s3same-x".to_owned())]);
    assert!(text.contains("(as typed)") && !text.contains("s3same"), "{text}");
    // The secret typed is never shown again.
    let text = stage.press("GkE").text();
    assert!(text.contains("not written into a file"), "{text}");
    assert!(stage.press("e").text().contains("authorization =\n"), "it is typed anew");
    stage.press("<esc>x");
    assert!(asked(&stage).unwrap().1.headers.is_empty());
    // A cancelled prompt can be reopened with `a`.
    stage.send(Message::Replayed(asked(&stage).unwrap().0, Ok(replayed)));
    stage.press("<esc>");
    assert!(!stage.text().contains("it is a secret that"), "{}", stage.text());
    assert!(stage.press("a").text().contains("it is a secret that"), "{}", stage.text());
}
