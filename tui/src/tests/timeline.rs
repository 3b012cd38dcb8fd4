//! The timeline screen.

use std::sync::Arc;

use zerver_trace::{Event, ReadInfo, RequestId, SlotInfo, Thread, Trace};

use super::*;

#[test]
fn a_slow_request_opens_at_its_longest_row() {
    insta::assert_snapshot!(TestApp::new(80, 24, three()).press("G<enter>").text(), @r#"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     GET /v1/todos/456?full=1
     todos-item, 200 OK after 5.40 ms, 10:43:01 (1m ago), build todos 0.1.0, intera…
     50% kv get todo:456  slower than the other one; median 900 µs
          at     took                                           █ cpu  ━ effect
        0 ns  20.0 µs  · request                                ·       │
     50.0 µs   100 µs  ✓ parse_auth    wrote AuthHeader         ▍       │
      150 µs  20.0 µs  ✓ lookup_user   needs http               ▏       │
      170 µs  2.18 ms    ↳ http GET idp.exam…  200, wrote Cla…  ━━━━━━━━━
     2.36 ms  45.0 µs  ✓ verify_roles                                   ▎
     2.40 ms  20.0 µs  ✓ load_todo     needs kv                         ▏
     2.42 ms  2.68 ms    ↳ kv get todo:456  found, wrote Todo           ━━━━━━━━━━━
     5.10 ms   280 µs  ✓ render_todo   done 200                         │         █▉
     5.40 ms           · response      200, 12 bytes                    │
    ────────────────────────────────────────────────────────────────────────────────
     event 10 of 14  2.42 ms  load_todo requested kv get todo:456                  ┃

     effect kv get todo:456
      step     load_todo
      took     2.68 ms
      arguments: ["todo", 456]
      result: {id: 456, title: "Buy milk", done: false}
      writes Todo: {id: 456, title: "Buy milk", done: false}
     h previous  l next event  tab pane  d diff  r replay  esc back  ? keys  q quit
    "#);
}

#[test]
fn the_summary_names_the_threads() {
    let mut trace = Trace { worker: Some(1), ..sample::slow() };
    trace.events.insert(1, Event::Migrated { at_ns: 2_000, to: Thread::BatchWorker(0) });
    let seen = TestApp::new(110, 24, vec![trace]).press("<enter>").text();
    insta::assert_snapshot!(seen.lines().skip(1).take(2).collect::<Vec<_>>().join("\n"), @r"
    GET /v1/todos/456?full=1
    todos-item, 200 OK after 5.40 ms, 10:43:01 (1m ago), build todos 0.1.0, worker 1, migrated to batch worker 0…
    ");
}

/// A request that waited behind the step of another one, and that other one.
pub(super) fn queued_and_holder() -> [Trace; 2] {
    let mut queued = Trace { worker: Some(1), ..sample::slow() };
    if let Some(Event::StepRan { ready_ns, at_ns, .. }) =
        queued.events.iter_mut().find(|event| matches!(event, Event::StepRan { .. }))
    {
        (*ready_ns, *at_ns) = (50_000, 3_050_000);
    }
    let id = RequestId::from_u128(queued.id.as_u128() ^ 7 << 100);
    let mut report = Trace { id, ..queued.clone() };
    if let Some(Event::StepRan { at_ns, cpu_ns, .. }) =
        report.events.iter_mut().find(|event| matches!(event, Event::StepRan { .. }))
    {
        (*at_ns, *cpu_ns) = (0, 2_000_000);
    }
    [queued, report]
}

#[test]
fn the_summary_names_what_a_request_was_queued_behind() {
    let [queued, report] = queued_and_holder();
    let seen = TestApp::new(110, 24, vec![report, queued]).press("<enter>").text();
    insta::assert_snapshot!(seen.lines().skip(1).take(4).collect::<Vec<_>>().join("\n"), @r"
    GET /v1/todos/456?full=1
    todos-item, 200 OK after 5.40 ms, 10:43:01 (1m ago), build todos 0.1.0, worker 1, interactive
    54% waiting in the run queue  not slower than the other one; median 5.40 ms
    queued 1.93 ms of 2.92 ms behind parse_auth of todos-item (019aa4b2-1f3b), and 1 more
    ");
}

#[test]
fn an_undelivered_response_is_shown_in_the_summary() {
    let trace = Trace { is_undelivered: true, ..sample::slow() };
    let seen = TestApp::new(110, 24, vec![trace]).press("<enter>").text();
    assert_eq!(
        seen.lines().nth(3).map(str::trim),
        Some("response not delivered: the client disconnected"),
        "{seen}"
    );
}

#[test]
fn built_in_slots_show_their_value() {
    let mut trace = sample::slow();
    let flow = Arc::make_mut(&mut trace.flow);
    flow.steps[0].reads.push(ReadInfo { slot: flow.slots.len() as u16, is_optional: false });
    flow.slots.push(SlotInfo { name: "Request".to_owned(), path: String::new(), ..SlotInfo::default() });
    let seen = TestApp::new(200, 50, vec![trace]).press("<enter>gll").text();
    assert!(seen.contains("reads Request: GET /v1/todos/456"), "{seen}");
}

#[test]
fn retry_delays_and_queueing_are_shown_as_events() {
    let mut ui = TestApp::new(200, 50, vec![sample::held()]);
    let mut seen = ui.press("<enter>g").text();
    for _ in 0..sample::held().events.len() {
        seen += &ui.press("l").text();
    }
    for expected in [
        "attempt 2 of http GET idp.example.com/verify requested",
        "http GET idp.example.com/verify delayed until its next attempt",
        "http GET idp.example.com/verify queued: limit of its target",
        "http GET idp.example.com/verify started",
        "queued 25.0 µs (target limit)",
        "200, 2 attempts",
    ] {
        assert!(seen.contains(expected), "no {expected} in\n{seen}");
    }
}

#[test]
fn delays_by_a_busy_worker_are_shown() {
    let mut trace = sample::late();
    let (flow, step) = ("report".into(), "spin".into());
    let part = zerver_trace::RequestPart::Head;
    let (unread_ns, ran_ns) = (610_000_000, 600_000_000);
    trace.events.insert(0, Event::ReadDelayed { part, unread_ns, ran_ns, flow, step });
    let moments = trace.events.len();
    let mut ui = TestApp::new(200, 60, vec![trace]);
    let mut seen = ui.press("<enter>g").text();
    for _ in 0..moments {
        seen += &ui.press("l").text();
    }
    for expected in [
        "head read right after a step of 600 ms on its worker",
        "the answer to kv get todo:456 was ready",
        "late     2.60 ms: worker 0 ran spin of report",
        "late     2.60 ms  48%",
        "read late",
        "found, answer 2.60 ms late",
        "48% late answers",
    ] {
        assert!(seen.contains(expected), "no {expected} in\n{seen}");
    }
}

#[test]
fn a_failed_request_opens_at_its_failure() {
    insta::assert_snapshot!(TestApp::new(200, 50, three()).press("j<enter>").text(), @r#"
    zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    GET /v1/todos/456?full=1
    todos-item, 404 Not Found after 900 µs, 10:43:02 (1m ago), build todos 0.1.0, interactive
    ✗ not_found todo 456  in load_todo  src/todos.rs:40
    67% http GET idp.example.com/verify  not slower than the other one; median 900 µs
         at     took                                                               █ cpu  ━ effect  ░ queue      │ event 12 of 14  635 µs  load_todo requested kv get todo:456
       0 ns     0 ns  · request                                                                         │        │
    10.0 µs  10.0 µs  ✓ parse_auth    wrote AuthHeader                             ▍                    │        │ effect kv get todo:456
    20.0 µs  5.00 µs  ✓ lookup_user   needs http                                   ▏                    │        │  step     load_todo
    25.0 µs   600 µs    ↳ http GET idp.example.com/ve…  200, 2 attempts, wrote C…  ╍╍╍╍╍╍╍╍╍╍╍   ━━━━━━━│        │  took     250 µs
     625 µs  5.00 µs  ✓ verify_roles                                                                   ▎│        │  arguments: ["todo", 456]
     630 µs  5.00 µs  ✗ load_todo     not_found todo 456, needs kv                                      ▏        │  result: none
     635 µs   250 µs    ↳ kv get todo:456  not found                                                    ━━━━━━━━━│
     900 µs           · response      404, 12 bytes                                                     │        │ failure
                                                                                                                 │  what     not_found todo 456
                                                                                                                 │  step     load_todo  src/todos.rs:40
                                                                                                                 │  effect   kv get todo:456: not found
                                                                                                                 │  because  the store has no todo:456
                                                                                                                 │  because  it was deleted
                                                                                                                 │
                                                                                                                 │ slots at this moment
                                                                                                                 │  AuthHeader: ●●●● (secret)
                                                                                                                 │  Claims: {sub: "user-123", roles: ["admin"]}
                                                                                                                 │
                                                                                                                 │ where the time went
                                                                                                                 │  effects  850 µs  94%
                                                                                                                 │  cpu      25.0 µs  3%
                                                                                                                 │  queue    10.0 µs  1%
                                                                                                                 │  unknown  15.0 µs  2%
                                                                                                                 │  http     600 µs in 2 calls
                                                                                                                 │  kv       250 µs in 1 call
                                                                                                                 │
                                                                                                                 │ compared with 1 other of its flow
                                                                                                                 │  total    not slower than the other one; median 900 µs
                                                                                                                 │    500 µs ━━━━━━━━━━━━━━━━━━━━━━━━ 1  ◂ you are here: 900 µs
                                                                                                                 │   1.00 ms  0
                                                                                                                 │   2.00 ms  0
                                                                                                                 │   5.00 ms ━━━━━━━━━━━━━━━━━━━━━━━━ 1
                                                                                                                 │           too few requests to find what correlates with latency
                                                                                                                 │
                                                                                                                 │
                                                                                                                 │
                                                                                                                 │
                                                                                                                 │
                                                                                                                 │
                                                                                                                 │
                                                                                                                 │
                                                                                                                 │
                                                                                                                 │
    h previous  l next event  tab pane  d diff  r replay  esc back  e source  i section  y copy  Y curl  ? keys  q quit
    "#);
}

#[test]
fn control_characters_in_a_trace_never_reach_the_terminal() {
    let mut ui = TestApp::new(100, 40, vec![nasty()]);
    insta::assert_snapshot!(ui.press("<enter>").text(), @r#"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     \u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}漢字 \u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}漢字
     \u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}漢字, 404 Not Found after 900 µs, 10:43:04 (1m ago), build \…
     ✗ not_found todo \u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}漢字: \u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e…
     67% http GET idp.example.com/verify  the only request of its flow
          at     took                                                        █ cpu  ━ effect  ░ queue
        0 ns     0 ns  · request                                                                │
     10.0 µs  10.0 µs  ✓ parse_auth            wrote AuthHeader              ▎                  │
     20.0 µs  5.00 µs  ✓ \u{1b}]52;c;AAAA\u{…  needs http                    ▎                  │
     25.0 µs   600 µs    ↳ http GET idp.example.co…  200, 2 attempts, wrot…  ╍╍╍╍╍╍╍╍╍╍  ━━━━━━━│
      625 µs  5.00 µs  ✓ verify_roles                                                          ▏│
      630 µs  5.00 µs  ✗ load_todo             not_found todo \u{1b}]52;c;…                    ▏│
      635 µs   250 µs    ↳ kv get todo:456  not found                                           ━━━━━━━━
      900 µs           · response              404, 12 bytes                                    │
    ────────────────────────────────────────────────────────────────────────────────────────────────────
     event 12 of 14  635 µs  load_todo requested kv get todo:456                                       ┃
                                                                                                       ┃
     effect kv get todo:456                                                                            ┃
      step     load_todo                                                                               ┃
      took     250 µs                                                                                  ┃
      arguments: ["todo", 456]                                                                         ┃
      result: none                                                                                     ┃
                                                                                                       ┃
     failure                                                                                           ┃
      what     not_found todo \u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}漢字:                              ┃
               \u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}漢字                                              ┃
      step     load_todo  src/todos.rs:40                                                              ┃
      effect   kv get todo:456: not found                                                              ┃
      because  \u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}漢字                                              ┃
      because  it was deleted                                                                          ┃
                                                                                                       ┃
     slots at this moment                                                                              ┃
      AuthHeader: ●●●● (secret)                                                                        ┃
      \u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}漢字: {sub: "user-123", roles: ["admin"]}                  ┃
                                                                                                       ┃
     where the time went                                                                               ┃
      effects  850 µs  94%
      cpu      25.0 µs  3%
      queue    10.0 µs  1%
     h previous  l next event  tab pane  d diff  r replay  esc back  e source  i section  ? keys  q quit
    "#);
    for keys in ["", "g", "G", "gjj", "<tab>", "G"] {
        let text = ui.press(keys).text();
        let bad = text.chars().find(|c| *c != '\n' && zerver_trace::text::is_dangerous(*c));
        assert_eq!(bad, None, "{text}");
    }
}

#[test]
fn secrets_are_masked() {
    let mut ui = TestApp::new(100, 60, three());
    let text = ui.press("G<enter>g").text();
    assert!(text.contains("authorization: ●●●● (secret)"), "{text}");
    assert!(ui.press("jl").text().contains("AuthHeader: ●●●● (secret)"));
    assert!(!ui.text().contains("ciphertext"));
}

/// Shows the slots in the inspector event by event.
#[test]
fn time_travel_works_in_both_directions() {
    let mut ui = TestApp::new(200, 60, three());
    ui.press("G<enter>g");
    let see = |ui: &TestApp| {
        let text = ui.text();
        let inspector = |line: &str| line.rsplit('│').next().unwrap_or_default().trim().to_owned();
        let mut lines = text.lines().map(inspector).skip_while(|line| !line.starts_with("event "));
        let happened = lines.next().unwrap_or_default();
        let slots = lines.skip_while(|line| !line.starts_with("slots")).skip(1);
        let slots: Vec<String> = slots.take_while(|line| !line.is_empty()).collect();
        format!("{happened}\n  {}\n", slots.join("\n  "))
    };
    let mut seen = vec![see(&ui)];
    for _ in 0..14 {
        seen.push(see(ui.press("l")));
    }
    insta::assert_snapshot!(seen.concat(), @r#"
    event 0 of 14  0 ns  request received
      later    AuthHeader, Claims, Todo
    event 1 of 14  20.0 µs  body received
      later    AuthHeader, Claims, Todo
    event 2 of 14  150 µs  parse_auth ran: continue
      later    AuthHeader, Claims, Todo
    event 3 of 14  150 µs  parse_auth wrote AuthHeader
      AuthHeader: ●●●● (secret)
      later    Claims, Todo
    event 4 of 14  170 µs  lookup_user ran: need
      AuthHeader: ●●●● (secret)
      later    Claims, Todo
    event 5 of 14  170 µs  lookup_user requested http GET idp.example.com/verify
      AuthHeader: ●●●● (secret)
      later    Claims, Todo
    event 6 of 14  2.35 ms  http GET idp.example.com/verify answered
      AuthHeader: ●●●● (secret)
      later    Claims, Todo
    event 7 of 14  2.35 ms  lookup_user wrote Claims
      AuthHeader: ●●●● (secret)
      Claims: {sub: "user-123", roles: ["admin"]}
      later    Todo
    event 8 of 14  2.40 ms  verify_roles ran: continue
      AuthHeader: ●●●● (secret)
      Claims: {sub: "user-123", roles: ["admin"]}
      later    Todo
    event 9 of 14  2.42 ms  load_todo ran: need
      AuthHeader: ●●●● (secret)
      Claims: {sub: "user-123", roles: ["admin"]}
      later    Todo
    event 10 of 14  2.42 ms  load_todo requested kv get todo:456
      AuthHeader: ●●●● (secret)
      Claims: {sub: "user-123", roles: ["admin"]}
      later    Todo
    event 11 of 14  5.10 ms  kv get todo:456 answered
      AuthHeader: ●●●● (secret)
      Claims: {sub: "user-123", roles: ["admin"]}
      later    Todo
    event 12 of 14  5.10 ms  load_todo wrote Todo
      AuthHeader: ●●●● (secret)
      Claims: {sub: "user-123", roles: ["admin"]}
      Todo: {id: 456, title: "Buy milk", done: false}
    event 13 of 14  5.38 ms  render_todo ran: done
      AuthHeader: ●●●● (secret)
      Claims: {sub: "user-123", roles: ["admin"]}
      Todo: {id: 456, title: "Buy milk", done: false}
    event 14 of 14  5.40 ms  request ended
      AuthHeader: ●●●● (secret)
      Claims: {sub: "user-123", roles: ["admin"]}
      Todo: {id: 456, title: "Buy milk", done: false}
    "#);
    for wanted in seen.iter().rev().skip(1) {
        assert_eq!(see(ui.press("h")), *wanted, "the same backwards");
    }
}

#[test]
fn values_fold() {
    let mut ui = TestApp::new(60, 40, vec![numbered(sample::report(40), 0)]);
    ui.press("<enter><tab>/arguments<enter>");
    let open = ui.text();
    assert!(open.contains("▾arguments") && open.contains("method: \"GET\""), "{open}");
    let closed = ui.press("<enter>").text();
    assert!(closed.contains("▸arguments") && !closed.contains("method: \"GET\""), "{closed}");
    assert_eq!(ui.press(" ").text(), open);
}

#[test]
fn searches_wrap_around() {
    let mut ui = TestApp::new(80, 24, three());
    let selected = |ui: &TestApp| {
        let text = ui.text();
        let line = text.lines().find(|line| line.contains("event "));
        line.map(|line| line.trim_end_matches([' ', '┃']).split("  ").last().unwrap_or_default().to_owned())
            .unwrap_or_default()
    };
    assert_eq!(selected(ui.press("G<enter>g/todo<enter>")), "load_todo ran: need");
    assert_eq!(selected(ui.press("n")), "load_todo requested kv get todo:456");
    assert_eq!(selected(ui.press("nn")), "load_todo ran: need");
    assert_eq!(selected(ui.press("N")), "render_todo ran: done");
    assert!(ui.press("/nothing<enter>").text().contains("no match for \"nothing\""));
}

#[test]
fn an_unreadable_request_shows_the_reason() {
    let mut ui = TestApp::new(80, 6, three());
    let id = three()[0].id;
    ui.app.screens.timeline.open(&ui.app.shared, RequestId::from_u128(1));
    ui.press("2");
    for (loaded, wanted) in
        [(Ok(None), "is no longer in the store"), (Err("block 3 \u{1b}: damaged".to_owned()), "damaged")]
    {
        ui.send(Message::Loaded(RequestId::from_u128(1), loaded));
        assert!(ui.text().contains(wanted), "{}", ui.text());
    }
    assert_ne!(id, RequestId::from_u128(1));
}

#[test]
fn what_a_layer_cannot_see_is_stated() {
    let mut ui = TestApp::new(160, 50, vec![sample::of_layer()]);
    let mut seen = ui.press("<enter>G").text();
    assert!(seen.contains("recorded by a layer: slots, queues, CPU times"), "{seen}");
    for _ in 0..=sample::of_layer().events.len() {
        seen += &ui.press("h").text();
    }
    seen += &ui.press("gj").text();
    for expected in ["unknown: zerver did not run it", "handler logged warn: no such todo id=456"] {
        assert!(seen.contains(expected), "no {expected} in\n{seen}");
    }
    assert!(!seen.contains("not in the trace") && !seen.contains("not recorded"), "{seen}");
}

/// Returns the colors of the characters of a text on the screen, wherever it occurs.
fn colors_of(ui: &TestApp, wanted: &str) -> Vec<ratatui::style::Color> {
    let buffer = ui.buffer();
    let mut colors = Vec::new();
    for y in 0..buffer.area.height {
        let cells: Vec<_> = (0..buffer.area.width).map(|x| &buffer[(x, y)]).collect();
        let wanted: Vec<String> = wanted.chars().map(String::from).collect();
        for window in cells.windows(wanted.len()) {
            if window.iter().zip(&wanted).all(|(cell, wanted)| cell.symbol() == wanted) {
                colors.extend(window.iter().filter(|cell| cell.symbol() != " ").map(|cell| cell.fg));
            }
        }
    }
    colors
}

#[test]
fn only_failures_of_the_service_are_red() {
    let theme = crate::theme::Theme::new(LOOK);
    let (red, yellow) = (theme.bad.fg.unwrap(), theme.client_error.fg.unwrap());
    let broken = {
        let mut trace = numbered(sample::failed(), 2);
        trace.status = 502;
        trace
    };
    for (trace, wanted, status, list) in [
        (numbered(sample::failed(), 1), yellow, "404 Not Found", " 404  "),
        (broken, red, "502 Bad Gateway", " 502  "),
    ] {
        let mut ui = TestApp::new(120, 35, vec![trace]);
        assert!(!ui.text().contains("404    900 µs  failed"), "the status says it: {}", ui.text());
        assert!(colors_of(&ui, list).iter().all(|color| *color == wanted), "{}", ui.text());
        ui.press("<enter>");
        for text in [status, "✗ load_todo", "✗ not_found todo 456"] {
            let colors = colors_of(&ui, text);
            let first = colors.first().copied();
            assert_eq!(first, Some(wanted), "{text} in\n{}", ui.text());
            assert!(!colors.contains(if wanted == red { &yellow } else { &red }), "{text}");
        }
    }
    // Without colors, the words say the same.
    let look = Appearance { colors: ColorScheme::Mono, is_ascii: false };
    let mut ui = TestApp::with_appearance(look, 120, 35, vec![numbered(sample::failed(), 1)]);
    let text = ui.press("<enter>").text();
    assert!(text.contains("404 Not Found") && text.contains("✗ not_found todo 456"), "{text}");
}

#[test]
fn json_bodies_are_indented_and_fold() {
    let mut trace = numbered(sample::slow(), 0);
    let items: Vec<String> =
        (0..12).map(|n| format!(r#"{{"id":{n},"title":"Buy milk and bread"}}"#)).collect();
    let body = format!(r#"{{"items":[{}],"total":12,"next":null}}"#, items.join(","));
    trace.response_body = zerver_trace::RecordedBody {
        bytes: sample::wire(body.as_bytes()),
        full_len: body.len() as u64,
        kept_len: body.len() as u64,
    };
    let mut ui = TestApp::new(60, 45, vec![trace]);
    let open = ui.press("<enter>G<tab>/items<enter>").text();
    assert!(
        open.contains("▾\"items\": [")
            && open.contains("     {\"id\": 0, \"title\": \"Buy milk and bread\"},"),
        "{open}"
    );
    let closed = ui.press("<enter>").text();
    assert!(closed.contains("▸\"items\": [ 12 parts ],") && !closed.contains("\"id\": 0"), "{closed}");
    assert!(closed.contains("  \"total\": 12,") && closed.contains("  \"next\": null"), "{closed}");
    // The place of the value is known.
    let value = |ui: &mut TestApp| match ui.press("w").commands.pop() {
        Some(Command::FindSources { value, .. }) => value.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(value(&mut ui), "response.body.items");
    ui.press("<esc><enter>jj");
    assert_eq!(value(&mut ui), "response.body.items.1");
    ui.press("<esc>kk");
    // The value of the line is copied as JSON.
    ui.commands.clear();
    ui.press("y");
    let [Command::Copy { text, .. }] = &ui.commands[..] else { panic!("{:?}", ui.commands) };
    assert!(text.starts_with("[\n  {\"id\": 0,") && text.ends_with("}\n]"), "{text}");
}

#[test]
fn the_durations_of_the_flow_are_shown_with_the_place_of_the_request() {
    let mut traces: Vec<Trace> = (0..40).map(|n| numbered(sample::report(10 + n), n)).collect();
    traces.push(numbered(sample::report(300), 99));
    let mut ui = TestApp::new(140, 60, traces);
    let text = ui.press("<enter>").text();
    let head = text.lines().find(|line| line.contains("slower than")).unwrap_or_default();
    assert!(head.ends_with("slower than 100%; median 30.4 ms  10.0 ms ▃█··[▁] 500 ms"), "{head}");
    assert!(text.contains("10.0 ms ━━━━━━━━ 10"), "{text}");
    assert!(text.contains("200 ms ━ 1  ◂ you are here: 300 ms"), "{text}");
}
