//! The diff, the replay and the flows as they are drawn, and as their keys work.

use std::sync::Arc;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use zerver_analysis::{Baseline, Timeline};
use zerver_replay::{
    Coverage, Finding, FindingClass, ReplayError, ReplayedResponse, Report, ReportedValue, SourceLocation,
};
use zerver_trace::{Trace, Value};

use crate::dev::{Dev, State};
use crate::hostile::any_trace;
use crate::message::{Command, Message, Show};
use crate::sample;
use crate::scheduler::{Health, Running, Worker};
use crate::services::{Measured, Replayed};
use crate::tests::{Stage, numbered};
use crate::theme::{Look, Palette};

fn two() -> Vec<Trace> {
    vec![sample::report(0), sample::report(250)]
}

/// The list has the newest on top: the slow one.
fn diff(width: u16, height: u16) -> Stage {
    let mut stage = Stage::new(width, height, two());
    stage.press("jdkd");
    stage
}

#[test]
fn a_diff_on_80_columns() {
    insta::assert_snapshot!(diff(80, 24).text(), @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     a 019aa4c2-1f3b  200   430.0 µs  GET /reports/todos?latency_ms=0  report
     b 019aa5bc-1f3b  200  250.43 ms  GET /reports/todos?latency_ms=250  report
     250.00 ms slower: 100% http GET figures.internal/figures?.. (370.0 µs ->
     250.37 ms); first difference: request query latency_ms 0 -> 250
    ─ steps, in ms: a, b, and b-a   ▀ a  ▄ b  █ both ───────────────────────────────
     ≠ parse_report  ReportParams.latency_ms    0.01    0.01     0.00 █
       gather                                   0.01    0.01     0.00 █
     ≠   ↳ http GET figures.in…  argument, re…  0.37  250.37  +250.00 █▄▄▄▄▄▄▄▄▄▄▄▄
         ↳ kv list todo                         0.01    0.01     0.00 █
       render_report                            0.03    0.03     0.00 ▀           ▄
    ─ what differs ─────────────────────────────────────────────────────────────────
     where the difference is                                                       ┃
       +250.00 ms  effect      http GET figures.internal/figures?..  370.0 µs -> 2…┃
       +250.00 ms  in all                                                          ┃
                                                                                   ┃
     request                                                                       ┃
       query latency_ms  0 -> 250                                                  ┃
                                                                                   ┃
     effects                                                                       ┃
       http GET figures.internal/figures?..  argument url
         - http://figures.internal/figures?latency_ms=0
         + http://figures.internal/figures?latency_ms=250
     tab other part  enter open  x swap  esc back  ? keys  q quit
    ");
}

#[test]
fn a_diff_on_200_columns_has_what_differs_at_its_side() {
    insta::assert_snapshot!(diff(200, 24).text(), @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     a 019aa4c2-1f3b  200   430.0 µs  GET /reports/todos?latency_ms=0  report
     b 019aa5bc-1f3b  200  250.43 ms  GET /reports/todos?latency_ms=250  report
     250.00 ms slower: 100% http GET figures.internal/figures?.. (370.0 µs -> 250.37 ms); first difference: request query latency_ms 0 -> 250
    ─ steps, in ms: a, b, and b-a   ▀ a  ▄ b  █ both ───────────────────────────────────────────────────────────── ─ what differs ──────────────────────────────────────────────────────────────────────────
     ≠ parse_report  ReportParams.latency_ms                       0.01    0.01     0.00 █                        │ where the difference is
       gather                                                      0.01    0.01     0.00 █                        │   +250.00 ms  effect      http GET figures.internal/figures?..  370.0 µs -> 250.37 ms
     ≠   ↳ http GET figures.internal/figures?..  argument, result  0.37  250.37  +250.00 █▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄ │   +250.00 ms  in all
         ↳ kv list todo                                            0.01    0.01     0.00 █                        │
       render_report                                               0.03    0.03     0.00 ▀                      ▄ │ request
                                                                                                                  │   query latency_ms  0 -> 250
                                                                                                                  │
                                                                                                                  │ effects
                                                                                                                  │   http GET figures.internal/figures?..  argument url
                                                                                                                  │     - http://figures.internal/figures?latency_ms=0
                                                                                                                  │     + http://figures.internal/figures?latency_ms=250
                                                                                                                  │   http GET figures.internal/figures?..  result took_ms  0 -> 250
                                                                                                                  │
                                                                                                                  │ slots
                                                                                                                  │   ReportParams.latency_ms  0 -> 250
                                                                                                                  │
                                                                                                                  │
                                                                                                                  │
     tab other part  enter open  x swap  esc back  ? keys  q quit
    ");
}

#[test]
fn a_diff_in_ascii() {
    let look = Look { palette: Palette::Mono, is_ascii: true };
    let mut stage = Stage::looking(look, 80, 24, vec![sample::slow(), numbered(sample::failed(), 1)]);
    let text = stage.press("jdkd").text();
    assert!(text.contains("idp.example.com") && text.is_ascii(), "{text}");
}

#[test]
fn the_keys_of_a_diff() {
    let text = diff(80, 24).text();
    let mut stage = diff(80, 24);
    assert_ne!(stage.press("x").text(), text, "the two are exchanged");
    assert_eq!(stage.press("x").text(), text, "and back");
    stage.press("jj<enter>");
    let line = stage.text().lines().nth(1).unwrap_or_default().to_owned();
    assert!(line.contains("250"), "the second request is open: {line}");
    stage.press("<esc>");
    let details = stage.press("<tab>G").text();
    assert!(details.contains("ReportParams.latency_ms  0 -> 250"), "{details}");
    assert!(diff(80, 24).press("<esc>").text().contains("status"), "back to the list");
    let chosen = Stage::new(80, 24, two()).press("dd").text();
    assert!(chosen.contains("not compared any more"), "{chosen}");
}

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

fn replayed(findings: Vec<Finding>) -> Message {
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
        }),
        ..Report::default()
    };
    Message::Replayed(1, Ok(Arc::new(Replayed { report, build: "todos 0.2.0".into() })))
}

fn replay(width: u16, height: u16) -> Stage {
    let mut stage = Stage::new(width, height, vec![sample::slow()]);
    stage.press("r");
    stage
}

fn changed() -> Vec<Finding> {
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

/// What the last replay is to do otherwise.
fn asked(stage: &Stage) -> Option<(u64, zerver_replay::Edits)> {
    stage.asked.iter().rev().find_map(|command| match command {
        Command::Replay { number, edits, .. } => Some((*number, edits.clone())),
        _ => None,
    })
}

#[test]
fn a_replay_on_80_columns() {
    insta::assert_snapshot!(replay(80, 24).say(replayed(changed())).text(), @r#"
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
    insta::assert_snapshot!(replay(200, 20).say(replayed(changed())).press("<tab>").text(), @r#"
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
    stage.say(replayed(Vec::new())).press("j<enter><c-u>nonsense<enter>");
    assert!(stage.text().contains("is no JSON"), "{}", stage.text());
    assert_eq!(asked(&stage).map(|(number, _)| number), Some(1), "nothing runs with what is no JSON");
    stage.press("<c-u>.sub=\"bob\"<enter>");
    let (number, edits) = asked(&stage).unwrap();
    assert_eq!((number, edits.slots), (2, vec!["Claims.sub=\"bob\"".parse().unwrap()]));
    // An answer to the first run is not one to the second.
    stage.say(replayed(changed()));
    assert!(!stage.text().contains("render_todo"), "{}", stage.text());
    assert_eq!(asked(stage.press("s")).unwrap().1.at.as_deref(), Some("verify_roles"));
    assert_eq!(asked(stage.press("x")).unwrap().1, zerver_replay::Edits::default());
}

#[test]
fn an_edit_that_does_not_fit_keeps_its_editor_open() {
    let refused = |number| {
        let refusal = ReplayError {
            message: "Claims.sub cannot be 5".into(),
            causes: vec!["expected a string".into()],
            hints: Vec::new(),
        };
        Message::Replayed(number, Err(refusal))
    };
    let mut stage = replay(80, 24);
    stage.say(replayed(Vec::new())).press("j<enter><c-u>.sub=5<enter>").say(refused(2));
    let text = stage.text();
    assert!(
        text.contains("Claims = .sub=5") && text.contains("Claims.sub cannot be 5: expected a string"),
        "{text}"
    );
    // What is typed next goes on there, and the next one may not fit either.
    stage.press("<backspace>[7]<enter>").say(refused(3));
    assert_eq!(asked(&stage).unwrap().1.slots[0].json, "[7]");
    assert!(stage.text().contains("Claims = .sub=[7]"), "{}", stage.text());
    stage.press("<backspace>");
    assert!(!stage.text().contains("expected a string: "), "{}", stage.text());
    // Leaving takes it back, and nothing else.
    stage.press("<esc>");
    assert_eq!(asked(&stage).unwrap(), (4, zerver_replay::Edits::default()));
    assert_eq!(stage.app.tab, crate::screen::Tab::Replay);
    // One that fits is gone when it has run; an older answer opens nothing.
    stage.press("<enter><c-u>.sub=\"bob\"<enter>").say(refused(4));
    assert!(!stage.text().contains("Claims = "), "{}", stage.text());
}

#[test]
fn a_slot_is_changed_in_an_editor() {
    let mut stage = replay(80, 24);
    stage.press("jE");
    let json = "{\"sub\":\"user-123\",\"roles\":[\"admin\"]}".to_owned();
    assert_eq!(stage.asked.last(), Some(&Command::EditText(json)));
    stage.say(Message::Edited(Ok("{\n  \"sub\": \"bob\"\n}\n".into())));
    assert_eq!(asked(&stage).unwrap().1.slots[0].json, "{ \"sub\": \"bob\" }");
    stage.press("E").say(Message::Edited(Err("there is no editor".into())));
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
    let why = ReportedValue::text("it was not recorded");
    let unanswered = FindingClass::Unanswered;
    stage.say(replayed(vec![finding(
        unanswered,
        "load_todo",
        "kv get todo:9",
        ReportedValue::text("an answer"),
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
    stage.say(replayed(changed())).press("<tab>j<enter>");
    assert!(stage.text().lines().any(|line| line.contains("render_todo")), "{}", stage.text());
    assert_eq!(stage.press("<esc>").text(), replay(80, 24).say(replayed(changed())).press("<tab>j").text());
}

#[test]
fn what_the_compiler_says_is_shown_with_what_to_do() {
    let refusal = ReplayError {
        message: "todos could not be built".into(),
        causes: vec!["error[E0308]: mismatched types\n --> src/main.rs:7:5".into()],
        hints: vec!["mend it, and run the request again".into()],
    };
    let mut stage = replay(80, 18);
    insta::assert_snapshot!(stage.say(Message::Replayed(1, Err(refusal))).text(), @r#"
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
fn a_flow_with_its_times() {
    let mut stage = Stage::new(80, 24, Vec::new());
    stage.press("5");
    assert_eq!(stage.asked.last(), Some(&Command::Flows));
    let flow = (*sample::report(0).flow).clone();
    stage.say(Message::Flows(Ok(vec![flow])));
    assert_eq!(stage.asked.last(), Some(&Command::Measure("report".into())));
    let timelines: Vec<Timeline> = (0..100).map(|n| Timeline::of(&sample::report(n))).collect();
    let measured = Measured { usual: Baseline::of(&timelines), unreadable: 0 };
    insta::assert_snapshot!(stage.say(Message::Measured("report".into(), Ok(Arc::new(measured)))).text(), @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    ─ flows ────────────────────────────────────────────────────────────────────────
     report  GET     /reports/todos  interactive
    ─ scheduler ────────────────────────────────────────────────────────────────────
     `zerver tui --addr HOST:PORT` asks a service that runs
    ─ report: over the newest 100 requests ─────────────────────────────────────────
     steps on the CPU, and their waits                   p50        p99
     whole request                                  49.43 ms   98.43 ms
     reading the body                                10.0 µs    10.0 µs
     unexplained                                      5.0 µs     5.0 µs
     ● parse_report                                   8.0 µs     8.0 µs  src/todos.…
     │ What parse_report is for.
     │ queue                                          2.0 µs     2.0 µs
     │ writes ReportParams
     ● gather                                        10.0 µs    10.0 µs  src/todos.…
     │ What gather is for.
     │ reads  ReportParams
     │ waits  http GET figures.internal/figures?…   49.37 ms   98.37 ms  100 times
     │ writes Figures, Tally
     ● render_report                                 25.0 µs    25.0 µs  src/todos.…
     │ What render_report is for.
     │ reads  Figures, Tally

     tab other part  r measure again  esc back  ? keys  q quit
    ");
}

#[test]
fn nothing_to_show_says_so() {
    for (key, wanted) in [
        ("3", "press d on one request"),
        ("2", "enter opens one"),
        ("4", "r runs the chosen one"),
        ("5", "loading"),
    ] {
        let text = Stage::new(80, 24, Vec::new()).press(key).text();
        assert!(text.contains(wanted), "{text}");
    }
    let mut stage = Stage::new(80, 24, Vec::new());
    stage.press("5").say(Message::Flows(Err("it is damaged".into())));
    assert!(stage.text().contains("it is damaged"));
}

#[test]
fn no_screen_is_a_dead_end() {
    let mut stage = Stage::new(80, 24, two());
    assert!(stage.press("j2").text().contains("latency_ms=0"), "the chosen request is open");
    assert!(stage.press("1d3").text().contains("is the first of two. 1 shows the list"), "{}", stage.text());
    assert!(stage.press("2").text().contains("parse_report"), "what was open stays open");
}

#[test]
fn what_went_wrong_stays_until_it_can_have_been_read() {
    let mut stage = Stage::new(80, 24, two());
    assert!(stage.press("n").text().contains("no request below failed"));
    assert!(stage.press("j").text().contains("no request below failed"), "a key right after it");
    let now = stage.app.shared.now_unix_ns + 2_000_000_000;
    stage.say(Message::Now(now));
    assert!(stage.text().contains("no request below failed"));
    assert!(!stage.press("j").text().contains("no request below failed"), "a key later");
    assert!(!stage.press("yj").text().contains("copied"), "what went well needs no time");
}

#[test]
fn a_filter_says_what_it_can_be_and_how_it_ends() {
    let mut stage = Stage::new(80, 24, two());
    let text = stage.press("/").text();
    assert!(text.contains("letters of a path; status:5xx") && text.contains("enter keep it"), "{text}");
    let text = stage.press("t").text();
    assert!(!text.contains("letters of a path"), "{text}");
    let marked: String = {
        let buffer = stage.buffer();
        let underlined = ratatui::style::Modifier::UNDERLINED;
        let cells = buffer.content.iter().filter(|cell| cell.modifier.contains(underlined));
        cells.map(|cell| cell.symbol().to_owned()).collect()
    };
    assert_eq!(marked, "tt", "in the path of both");
}

#[test]
fn what_new_code_changes_is_marked_in_the_list() {
    let mut stage = Stage::new(80, 24, two());
    let mut dev = |state| stage.say(Message::Dev(Dev::State(state))).asked.clone();
    let serving = || State::Serving("http://127.0.0.1:3000".into());
    dev(State::Building);
    assert!(
        !dev(serving()).iter().any(|command| matches!(command, Command::Check { .. })),
        "it is the first"
    );
    dev(State::Building);
    let ids = vec![two()[1].id, two()[0].id];
    assert_eq!(dev(serving()).last(), Some(&Command::Check { number: 1, ids: ids.clone() }));
    let before = stage.text();
    // An older check says nothing any more.
    stage.say(Message::Checked(0, ids[0], true)).say(Message::Checked(1, ids[0], false));
    assert_eq!(stage.text(), before);
    let text = stage.say(Message::Checked(1, ids[1], true)).text();
    let marked: Vec<&str> = text.lines().filter(|line| line.contains('≠')).collect();
    assert!(marked.len() == 1 && marked[0].contains(&ids[1].short(12)), "{text}");
}

/// Whatever may happen on these screens.
fn any_message() -> impl Strategy<Value = Message> {
    let keys = "12345drjkgGxsaeE.=\"{}";
    let key = proptest::sample::select(keys.chars().map(KeyCode::Char).collect::<Vec<_>>());
    let named = proptest::sample::select(vec![
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::Down,
        KeyCode::PageDown,
        KeyCode::Backspace,
    ]);
    let press = |code| Message::Input(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    let kind = proptest::sample::select(vec![
        MouseEventKind::ScrollDown,
        MouseEventKind::ScrollUp,
        MouseEventKind::Down(MouseButton::Left),
    ]);
    let mouse = (kind, 0u16..220, 0u16..60).prop_map(|(kind, column, row)| {
        Message::Input(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
    });
    let resize =
        (0u16..220, 0u16..60).prop_map(|(width, height)| Message::Input(Event::Resize(width, height)));
    let number = 0u64..6;
    let done = (number.clone(), any::<bool>()).prop_map(|(number, is_changed)| {
        let findings = if is_changed { changed() } else { Vec::new() };
        match replayed(findings) {
            Message::Replayed(_, result) => Message::Replayed(number, result),
            other => other,
        }
    });
    let refused = number.prop_map(|number| Message::Replayed(number, Err(ReplayError::default())));
    prop_oneof![
        6 => key.prop_map(press),
        3 => named.prop_map(press),
        2 => mouse,
        1 => resize,
        1 => done,
        1 => refused,
        1 => any::<bool>().prop_map(|is_good| {
            Message::Edited(if is_good { Ok("{\"sub\": 1}".into()) } else { Err("no editor".into()) })
        }),
        1 => Just(Message::Flows(Ok(vec![(*sample::slow().flow).clone()]))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_sequence_of_messages_panics_and_every_frame_fits(
        a in any_trace(), b in any_trace(), messages in proptest::collection::vec(any_message(), 0..60),
    ) {
        let mut stage = Stage::new(80, 24, vec![sample::slow(), a, b]);
        for message in messages {
            stage.say(message);
            let text = stage.text();
            prop_assert!(!text.chars().any(|c| zerver_trace::text::is_dangerous(c) && c != '\n'), "{}", text);
        }
    }
}

#[test]
fn two_requests_can_be_the_first_screen() {
    let mut stage = Stage::new(80, 24, two());
    let show = Show::Diff(two()[0].id, two()[1].id);
    let commands = crate::update::start(&mut stage.app, crate::run::Open::Diff(two()[0].id, two()[1].id));
    assert_eq!(commands.len(), 2, "{show:?} asks for both");
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
    let ending = zerver_replay::EditedOutcome {
        outcome: "timed_out".into(),
        failure: "no answer within 2s".into(),
        failure_kind: "timeout".into(),
        call: Some(0),
        step: "lookup_user".into(),
        duration_ns: 2_000_100_000,
        recorded_duration_ns: 5_400_000,
    };
    let report = Report { edited_outcome: Some(ending), ..Report::default() };
    stage.say(Message::Replayed(number, Ok(Arc::new(Replayed { report, build: String::new() }))));
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
    stage.say(Message::Edited(Ok("{\n}\n".into())));
    let edits = asked(&stage).unwrap().1;
    assert_eq!((&*edits.headers[0].1, edits.body.as_deref()), ("text/html", Some(&b"{\n}"[..])));
}

#[test]
fn a_secret_that_is_not_in_the_file_is_asked_for_and_not_shown() {
    let mut trace = sample::slow();
    for header in trace.request_headers.iter_mut().filter(|header| header.name == "authorization") {
        header.value = zerver_trace::Recorded::Hashed { hash: [7; 16], masked: None };
    }
    let mut stage = Stage::new(120, 40, vec![trace]);
    stage.press("r");
    let why =
        "the request's header authorization: only a hash of it is here; --request-header authorization=..";
    let report = Report { missing_inputs: vec![why.into()], ..Report::default() };
    let replayed = Arc::new(Replayed { report, build: String::new() });
    stage.say(Message::Replayed(asked(&stage).unwrap().0, Ok(Arc::clone(&replayed))));
    let text = stage.text();
    assert!(text.contains(
        "cannot be run: the request's header authorization: only a hash of it is here; a: type it"
    ));
    assert!(text.contains("it is a secret that is not here"), "{text}");
    let text = stage.press("Bearer s3same").text();
    assert!(text.contains("authorization = *************") && !text.contains("s3same"), "{text}");
    stage.say(Message::Input(Event::Paste("-x".into())));
    let text = stage.press("<enter>").text();
    let edits = asked(&stage).unwrap().1;
    assert_eq!(edits.headers, [("authorization".to_owned(), "Bearer s3same-x".to_owned())]);
    assert!(text.contains("(as typed)") && !text.contains("s3same"), "{text}");
    // What was typed is not handed out again, to nobody.
    let text = stage.press("GkE").text();
    assert!(text.contains("not written into a file"), "{text}");
    assert!(stage.press("e").text().contains("authorization =\n"), "it is typed anew");
    stage.press("<esc>x");
    assert!(asked(&stage).unwrap().1.headers.is_empty());
    // Whoever does not want to is asked again with a.
    stage.say(Message::Replayed(asked(&stage).unwrap().0, Ok(replayed)));
    stage.press("<esc>");
    assert!(!stage.text().contains("it is a secret that"), "{}", stage.text());
    assert!(stage.press("a").text().contains("it is a secret that"), "{}", stage.text());
}

/// As it is after so many seconds, in each of which the first worker is busy all the time, and the second for a quarter.
fn health(second: u64) -> Health {
    let running = Running {
        flow: "todos-item".into(),
        step: "render\u{1b}[31m".into(),
        request: "019aa4c2-1f3b-7000-8000-000000000001".into(),
        for_ns: 3_000_000_000,
    };
    let worker = |name: &str, is_stuck, running, busy_ms: u64| Worker {
        name: name.into(),
        is_stuck,
        busy_ns: Some(busy_ms * 1_000_000),
        running,
    };
    Health {
        status: "degraded".into(),
        uptime_ns: Some(second * 1_000_000_000),
        workers: vec![
            worker("worker 0", true, Some(running), second * 1_000),
            worker("worker 1", false, None, second * 250),
        ],
        waiting: [Some(0), Some(second), Some(3)],
        shed: [0, 2, 0],
        moved: 1,
        overruns: 9,
    }
}

#[test]
fn the_scheduler_of_a_service_that_runs() {
    let mut stage = Stage::new(200, 24, two());
    stage.press("5").say(Message::Flows(Ok(two()
        .iter()
        .map(|trace| (*trace.flow).clone())
        .take(1)
        .collect())));
    stage.say(Message::Serves("127.0.0.1:3000".into()));
    let now = stage.app.shared.now_unix_ns;
    for second in 1..5 {
        stage.say(Message::Now(now + second * 1_000_000_000));
        assert_eq!(stage.asked.pop(), Some(Command::Health("127.0.0.1:3000".into())));
        stage.say(Message::Health("127.0.0.1:3000".into(), Ok(health(second))));
    }
    let text = stage.text();
    let left: String = text
        .lines()
        .map(|line| line.chars().take(66).collect::<String>().trim_end().to_owned() + "\n")
        .collect();
    insta::assert_snapshot!(left, @r"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    ─ flows ──────────────────────────────────────────────────────────
     report  GET     /reports/todos  interactive













    ─ scheduler of 127.0.0.1:3000: degraded ──────────────────────────
     load     62%  ▅▅▅
     waiting  interactive 0         default 4 ▂▄▆█    batch 3 ████
     shed     0 interactive, 2 default, 0 batch
     moved    1 to low priority; overruns 9
     worker 0  100%  ███     hangs in render\u{1b}[31m of todos-item …
     worker 1   25%  ▂▂▂     idle
     tab other part  r measure again  esc back  ? keys  q quit
    ");
    stage.press("1");
    for (columns, wanted) in [
        (80, " load 62%   waiting  interactive 0   default 4   batch 3   1 of 2 hang   shed 2"),
        (
            200,
            concat!(
                " load 62% ▅▅▅                    waiting  interactive 0                        ",
                "default 4 ▂▄▆█                   batch 3 ████                   1 of 2 hang   shed 2"
            ),
        ),
    ] {
        stage.say(Message::Input(Event::Resize(columns, 24)));
        let text = stage.text();
        let line = text.lines().nth(2).unwrap_or_default();
        assert_eq!(line.trim_end(), wanted);
    }
    stage.press("2").say(Message::Now(now + 9_000_000_000));
    assert!(!matches!(stage.asked.last(), Some(Command::Health(_))), "nobody sees it");
    stage.press("5").say(Message::Health("127.0.0.1:3000".into(), Err("it is \u{1b}gone".into())));
    assert!(stage.text().contains("it is \\u{1b}gone"), "{}", stage.text());
}
