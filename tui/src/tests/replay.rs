//! The replay screen.

use zerver_replay::{
    Coverage, Finding, FindingClass, MissingInput, ReplayError, ReplayedResponse, Report, ReportedValue,
    SourceLocation,
};
use zerver_trace::Value;

use super::*;
use crate::services::ReplayResult;

fn value(text: &str) -> ReportedValue {
    ReportedValue::Value(Value::from_serialize(&text).expect("a text is a value"))
}

fn finding(
    class: FindingClass,
    step: &str,
    field: &str,
    expected: ReportedValue,
    got: ReportedValue,
) -> Finding {
    let source = Some(SourceLocation { file: "src/main.rs".into(), line: 7 });
    Finding { class, step: step.into(), field: field.into(), expected, got, source }
}

pub(super) fn replayed(findings: Vec<Finding>) -> Message {
    let report = Report {
        coverage: Coverage {
            decisions_reproduced: 3,
            decisions_recorded: 5,
            effects_replayed: 1,
            ..Coverage::default()
        },
        findings,
        response: Some(ReplayedResponse {
            status: 403,
            headers: Vec::new(),
            body: Some("{\"error\": \"no \u{1b}[31mrole\"}".into()),
            body_bytes: 18,
            stream: None,
        }),
        ..Report::default()
    };
    Message::Replayed(1, Ok(Arc::new(ReplayResult { report, build: "todos 0.2.0".into() })))
}

fn replay(width: u16, height: u16) -> TestApp {
    let mut ui = TestApp::new(width, height, vec![sample::slow()]);
    ui.press("r");
    ui
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
        finding(
            FindingClass::CodeChanged,
            "render_todo",
            "decision",
            ReportedValue::text("done"),
            ReportedValue::text("fail"),
        ),
        finding(
            FindingClass::CodeChanged,
            "",
            "response.body",
            value("{\"id\":  456}"),
            ReportedValue::Secret,
        ),
    ]
}

/// Returns the edits of the latest replay.
fn asked(ui: &TestApp) -> Option<(u64, zerver_replay::Edits)> {
    ui.commands.iter().rev().find_map(|command| match command {
        Command::Replay { number, edits, .. } => Some((*number, edits.clone())),
        _ => None,
    })
}

#[test]
fn a_replay_fits_80_columns() {
    insta::assert_snapshot!(replay(80, 24).send(replayed(changed())).text(), @r#"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     019aa4c2-1f3b  GET /v1/todos/456?full=1  200  todos-item
     different: 3 of 5 decisions reproduced, 1 effect from the recording
    ─ what can be edited ───────────────────────────────────────────────────────────
     slots      AuthHeader                  ●●●● (secret)
                Claims                      {sub: "user-123", roles: ["admin"]}
                Todo                        {id: 456, title: "Buy milk", done: fals…
     effects    http GET idp.example.com/…  200
                kv get todo:456             {"id":456,"title":"Buy milk","done":fal…
     headers    host:                       localhost:3000
                authorization:              ●●●● (secret)
                body                        empty
    ─ differences ──────────────────────────────────────────────────────────────────
     edit      verify_roles  Claims.sub     "user-123"         → "b\u{1b}ob"
     code      render_todo   decision       done               → fail
     code                    response.body  "{"id":  456}"     → ●●●● (secret)
    ─ response ─────────────────────────────────────────────────────────────────────
     recorded 200, replayed 403
     - {
     -   "id": 456
     - }
     + {"error": "no \u{1b}[31mrole"}

     tab pane  enter edit  Y copy  r again  esc back  ? keys  q quit
    "#);
}

#[test]
fn a_selected_finding_is_shown_in_full() {
    insta::assert_snapshot!(replay(200, 20).send(replayed(changed())).press("<tab>").text(), @r#"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     019aa4c2-1f3b  GET /v1/todos/456?full=1  200  todos-item
     different: 3 of 5 decisions reproduced, 1 effect from the recording
    ─ what can be edited ───────────────────────────────────────────────────────────│─ differences ─────────────────────────────────────────────────────────────────────────────────────────────────────────
     slots      AuthHeader                  ●●●● (secret)                           │ edit      verify_roles  Claims.sub     "user-123"                             → "b\u{1b}ob"
                Claims                      {sub: "user-123", roles: ["admin"]}     │ code      render_todo   decision       done                                   → fail
                Todo                        {id: 456, title: "Buy milk", done: fals…│ code                    response.body  "{"id":  456}"                         → ●●●● (secret)
     effects    http GET idp.example.com/…  200                                     │   Claims.sub  src/main.rs:7
                kv get todo:456             {"id":456,"title":"Buy milk","done":fal…│   - "user-123"
     headers    host:                       localhost:3000                          │   + "b\u{1b}ob"
                authorization:              ●●●● (secret)                           │─ response ────────────────────────────────────────────────────────────────────────────────────────────────────────────
                body                        empty                                   │ recorded 200, replayed 403
                                                                                    │ - {
                                                                                    │ -   "id": 456
                                                                                    │ - }
                                                                                    │ + {"error": "no \u{1b}[31mrole"}
                                                                                    │
                                                                                    │
                                                                                    │
     tab pane  enter open step  Y copy  r again  esc back  ? keys  q quit
    "#);
}

#[test]
fn an_edited_slot_starts_a_replay() {
    let mut ui = replay(80, 24);
    assert_eq!(asked(&ui), Some((1, zerver_replay::Edits::default())));
    ui.send(replayed(Vec::new())).press("j<enter><c-u>nonsense<enter>");
    assert!(ui.text().contains("not JSON"), "{}", ui.text());
    assert_eq!(asked(&ui).map(|(number, _)| number), Some(1), "invalid JSON does not start a replay");
    ui.press("<c-u>.sub=\"bob\"<enter>");
    let (number, edits) = asked(&ui).unwrap();
    assert_eq!((number, edits.slots), (2, vec!["Claims.sub=\"bob\"".parse().unwrap()]));
    // The result of an older replay is ignored.
    ui.send(replayed(changed()));
    assert!(!ui.text().contains("render_todo"), "{}", ui.text());
    assert_eq!(asked(ui.press("s")).unwrap().1.at.as_deref(), Some("verify_roles"));
    assert_eq!(asked(ui.press("x")).unwrap().1, zerver_replay::Edits::default());
}

#[test]
fn a_refused_edit_returns_to_its_prompt() {
    let refused = |number| {
        let refusal = ReplayError {
            message: "Claims.sub cannot be 5".into(),
            causes: vec!["expected a string".into()],
            hints: Vec::new(),
        };
        Message::Replayed(number, Err(refusal))
    };
    let mut ui = replay(80, 24);
    ui.send(replayed(Vec::new())).press("j<enter><c-u>.sub=5<enter>").send(refused(2));
    let text = ui.text();
    assert!(
        text.contains("Claims = .sub=5") && text.contains("Claims.sub cannot be 5: expected a string"),
        "{text}"
    );
    // The prompt stays open for correction, even after a second refusal.
    ui.press("<backspace>[7]<enter>").send(refused(3));
    assert_eq!(asked(&ui).unwrap().1.slots[0].json, "[7]");
    assert!(ui.text().contains("Claims = .sub=[7]"), "{}", ui.text());
    ui.press("<backspace>");
    assert!(!ui.text().contains("expected a string: "), "{}", ui.text());
    // Canceling reverts only this edit.
    ui.press("<esc>");
    assert_eq!(asked(&ui).unwrap(), (4, zerver_replay::Edits::default()));
    assert_eq!(ui.app.tab, crate::screen::Tab::Replay);
    // An accepted edit closes the prompt, and late results do not reopen it.
    ui.press("<enter><c-u>.sub=\"bob\"<enter>").send(refused(4));
    assert!(!ui.text().contains("Claims = "), "{}", ui.text());
}

#[test]
fn a_slot_can_be_edited_in_an_editor() {
    let mut ui = replay(80, 24);
    ui.press("jE");
    let json = "{\"sub\":\"user-123\",\"roles\":[\"admin\"]}".to_owned();
    assert_eq!(ui.commands.last(), Some(&Command::EditText(json)));
    ui.send(Message::Edited(Ok("{\n  \"sub\": \"bob\"\n}\n".into())));
    assert_eq!(asked(&ui).unwrap().1.slots[0].json, "{ \"sub\": \"bob\" }");
    ui.press("E").send(Message::Edited(Err("there is no editor".into())));
    assert!(ui.text().contains("there is no editor"));
}

#[test]
fn a_secret_slot_opens_as_an_empty_text() {
    let mut ui = replay(80, 24);
    ui.press("E");
    assert_eq!(ui.commands.last(), Some(&Command::EditText(String::new())));
}

#[test]
fn an_unanswered_effect_is_prompted_for() {
    let mut ui = replay(80, 24);
    let why = ReportedValue::text("it was not recorded");
    let unanswered = FindingClass::Unanswered;
    ui.send(replayed(vec![finding(
        unanswered,
        "load_todo",
        "kv get todo:9",
        ReportedValue::text("an answer"),
        why,
    )]));
    let text = ui.text();
    assert!(text.contains("kv get todo:9 = {\"id\":456"), "a recorded answer shows the form: {text}");
    ui.press("<c-u>null<enter>");
    assert_eq!(asked(&ui).unwrap().1.answers, ["kv get todo:9=null".parse().unwrap()]);
}

#[test]
fn enter_on_a_finding_opens_its_step() {
    let mut ui = replay(80, 24);
    ui.send(replayed(changed())).press("<tab>j<enter>");
    assert!(ui.text().lines().any(|line| line.contains("render_todo")), "{}", ui.text());
    assert_eq!(ui.press("<esc>").text(), replay(80, 24).send(replayed(changed())).press("<tab>j").text());
}

#[test]
fn compiler_errors_are_shown_with_a_hint() {
    let refusal = ReplayError {
        message: "todos could not be built".into(),
        causes: vec!["error[E0308]: mismatched types\n --> src/main.rs:7:5".into()],
        hints: vec!["mend it, and run the request again".into()],
    };
    let mut ui = replay(80, 18);
    insta::assert_snapshot!(ui.send(Message::Replayed(1, Err(refusal))).text(), @r#"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     019aa4c2-1f3b  GET /v1/todos/456?full=1  200  todos-item
     not replayed
    ─ what can be edited ───────────────────────────────────────────────────────────
     slots      AuthHeader                  ●●●● (secret)                          ┃
                Claims                      {sub: "user-123", roles: ["admin"]}    ┃
                Todo                        {id: 456, title: "Buy milk", done: fals┃
     effects    http GET idp.example.com/…  200
                kv get todo:456             {"id":456,"title":"Buy milk","done":fal…
    ─ differences ──────────────────────────────────────────────────────────────────
     todos could not be built
       error[E0308]: mismatched types
        --> src/main.rs:7:5
     hint: mend it, and run the request again



     tab pane  enter edit  Y copy  r again  esc back  ? keys  q quit
    "#);
}

#[test]
fn a_long_hint_is_wrapped() {
    let refusal = ReplayError {
        message: "no Cargo.toml in /home/ann/todos or any folder above it".into(),
        causes: Vec::new(),
        hints: vec!["name the folder of the service's package, ".repeat(4) + "and replay the request again"],
    };
    let mut ui = replay(80, 18);
    let text = ui.send(Message::Replayed(1, Err(refusal))).text();
    let words: Vec<&str> = text.split_whitespace().collect();
    assert!(words.join(" ").contains("package, and replay the request again"), "{text}");
}

#[test]
fn an_injected_fault_shows_how_the_request_would_end() {
    let mut ui = replay(120, 24);
    ui.press("f");
    assert!(ui.text().contains("only effects can fail"), "{}", ui.text());
    ui.press("jjjf");
    let (number, edits) = asked(&ui).unwrap();
    assert_eq!(
        edits.faults,
        [zerver_replay::Fault::failing("http GET idp.example.com/verify=timeout").unwrap()]
    );
    let edited_outcome = zerver_replay::EditedOutcome {
        outcome: "timed_out".into(),
        failure: "no answer within 2s".into(),
        failure_kind: "timeout".into(),
        call: Some(0),
        step: "lookup_user".into(),
        duration_ns: 2_000_100_000,
        recorded_duration_ns: 5_400_000,
    };
    let report = Report { edited_outcome: Some(edited_outcome), ..Report::default() };
    ui.send(Message::Replayed(number, Ok(Arc::new(ReplayResult { report, build: String::new() }))));
    let text = ui.text();
    assert!(
        text.contains("ends timed_out after 2.00 s, recorded 5.40 ms  in lookup_user  no answer"),
        "{text}"
    );
    assert!(text.contains("→ timeout"), "{text}");
    ui.press("fffffx");
    assert!(asked(&ui).unwrap().1.is_empty());
}

#[test]
fn headers_and_the_body_can_be_edited() {
    let mut ui = replay(120, 40);
    ui.press("Gkk<enter>");
    let text = ui.text();
    assert!(text.contains("request header"), "{text}");
    ui.press("<c-u>text/html<enter>");
    ui.press("jjE");
    assert!(matches!(ui.commands.last(), Some(Command::EditText(_))), "{:?}", ui.commands);
    ui.send(Message::Edited(Ok("{\n}\n".into())));
    let edits = asked(&ui).unwrap().1;
    assert_eq!((&*edits.headers[0].1, edits.body.as_deref()), ("text/html", Some(&b"{\n}"[..])));
}

#[test]
fn a_missing_secret_is_prompted_for_and_stays_hidden() {
    let mut trace = sample::slow();
    for header in trace.request_headers.iter_mut().filter(|header| header.name == "authorization") {
        header.value = zerver_trace::Recorded::Hashed { hash: [7; 16], masked: None };
    }
    let mut ui = TestApp::new(120, 40, vec![trace]);
    ui.press("r");
    let reason = "only a hash of it is here".to_owned();
    let missing = MissingInput::Header { name: "authorization".to_owned(), reason };
    let report = Report { missing_inputs: vec![missing], ..Report::default() };
    let replayed = Arc::new(ReplayResult { report, build: String::new() });
    ui.send(Message::Replayed(asked(&ui).unwrap().0, Ok(Arc::clone(&replayed))));
    let text = ui.text();
    assert!(text.contains(
        "cannot be replayed: the request's header authorization: only a hash of it is here; press a to type it"
    ));
    assert!(text.contains("this secret was not exported"), "{text}");
    let text = ui.press("Bearer s3same").text();
    assert!(text.contains("authorization = *************") && !text.contains("s3same"), "{text}");
    ui.send(Message::Input(Event::Paste("-x".into())));
    let text = ui.press("<enter>").text();
    let edits = asked(&ui).unwrap().1;
    assert_eq!(edits.headers, [("authorization".to_owned(), "Bearer s3same-x".to_owned())]);
    assert!(text.contains("(as typed)") && !text.contains("s3same"), "{text}");
    // The secret typed is never shown again.
    let text = ui.press("GkE").text();
    assert!(text.contains("never written to a file"), "{text}");
    assert!(ui.press("e").text().contains("authorization =\n"), "the prompt starts empty");
    ui.press("<esc>x");
    assert!(asked(&ui).unwrap().1.headers.is_empty());
    // A canceled prompt can be reopened with `a`.
    ui.send(Message::Replayed(asked(&ui).unwrap().0, Ok(replayed)));
    ui.press("<esc>");
    assert!(!ui.text().contains("this secret was not exported"), "{}", ui.text());
    assert!(ui.press("a").text().contains("this secret was not exported"), "{}", ui.text());
}

#[test]
fn edits_can_be_undone_and_copied_as_a_command() {
    let mut ui = replay(100, 30);
    ui.send(replayed(Vec::new()));
    let edits = |ui: &TestApp| asked(ui).unwrap().1;
    assert!(ui.press("u").text().contains("nothing to undo"), "{}", ui.text());
    ui.press("j<enter><c-u>.sub=\"bob\"<enter>");
    let one = edits(&ui);
    ui.press("s");
    let two = edits(&ui);
    ui.press("x");
    assert_eq!(edits(&ui), zerver_replay::Edits::default());
    assert_eq!(edits(ui.press("u")), two);
    ui.commands.clear();
    ui.press("Y");
    let [Command::Copy { text, description }] = &ui.commands[..] else { panic!("{:?}", ui.commands) };
    assert_eq!(
        text,
        "zerver replay 019aa4c2-1f3b-7abc-8def-0123456789ab --set 'Claims.sub=\"bob\"' --at verify_roles"
    );
    assert_eq!(description, "the replay as a command");
    assert_eq!(edits(ui.press("u")), one);
    assert_eq!(edits(ui.press("u")), zerver_replay::Edits::default());
    // A refused edit that is canceled is not undone.
    ui.press("<enter><c-u>.sub=5<enter>");
    let number = asked(&ui).unwrap().0;
    ui.send(Message::Replayed(number, Err(ReplayError::default()))).press("<esc>");
    assert!(ui.press("u").text().contains("nothing to undo"), "{}", ui.text());
}

#[test]
fn editable_items_have_headings() {
    let mut ui = replay(100, 40);
    let text = ui.send(replayed(Vec::new())).text();
    let heads: Vec<&str> = text
        .lines()
        .filter(|line| [" slots ", " effects ", " headers "].iter().any(|head| line.starts_with(head)))
        .map(|line| line.split_whitespace().next().unwrap_or_default())
        .collect();
    assert_eq!(heads, ["slots", "effects", "headers"], "{text}");
}
