//! The timeline screen.

use std::sync::Arc;

use zerver_trace::{Event, ReadInfo, RequestId, SlotInfo, Thread, Trace};

use super::*;

#[test]
fn a_slow_request_opens_at_its_longest_row() {
    insta::assert_snapshot!(TestApp::new(80, 24, three()).press("G<enter>").text(), @r#"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     GET /v1/todos/456  200 OK  5.40 ms  1m ago  todos-item  interactive
     50% kv get todo:456  slower than the other one; median 900.0 µs
     at ms  took                                              █ cpu  ━ effect
      0.00  0.02  · request                                   ·        │
      0.05  0.10  ✓ parse_auth    wrote AuthHeader            ▍        │
      0.15  0.02  ✓ lookup_user   needs http                  ▏        │
      0.17  2.18    ↳ http GET idp.examp…  200, wrote Claims  ━━━━━━━━━━
      2.36  0.05  ✓ verify_roles                                       ▎
      2.40  0.02  ✓ load_todo     needs kv                             ▏
      2.42  2.68    ↳ kv get todo:456  found, wrote Todo               ━━━━━━━━━━━━
      5.10  0.28  ✓ render_todo   done 200                             │          █▉
      5.40        · response      200, 12 bytes                        │
    ────────────────────────────────────────────────────────────────────────────────
     event 10 of 14  2.42 ms  load_todo requested kv get todo:456                  ┃
                                                                                   ┃
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
    GET /v1/todos/456  200 OK  5.40 ms  1m ago  todos-item  interactive  worker 1, migrated to batch worker 0
    50% kv get todo:456  the only request of its flow
    ");
}

#[test]
fn the_summary_names_what_a_request_was_queued_behind() {
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
    let seen = TestApp::new(110, 24, vec![report, queued]).press("<enter>").text();
    insta::assert_snapshot!(seen.lines().skip(1).take(4).collect::<Vec<_>>().join("\n"), @r"
    GET /v1/todos/456  200 OK  5.40 ms  1m ago  todos-item  interactive  worker 1
    54% waiting in the run queue  not slower than the other one; median 5.40 ms
    queued 1.93 ms of 2.92 ms behind parse_auth of todos-item (019aa4b2-1f3b), and 1 more
    at ms  took                                                          █ cpu  ━ effect  ░ queue  · body
    ");
}

#[test]
fn an_undelivered_response_is_shown_in_the_summary() {
    let trace = Trace { is_undelivered: true, ..sample::slow() };
    let seen = TestApp::new(110, 24, vec![trace]).press("<enter>").text();
    assert_eq!(
        seen.lines().nth(2).map(str::trim),
        Some("response not delivered: the client disconnected"),
        "{seen}"
    );
}

#[test]
fn built_in_slots_show_their_value() {
    let mut trace = sample::slow();
    let flow = Arc::make_mut(&mut trace.flow);
    flow.steps[0].reads.push(ReadInfo { slot: flow.slots.len() as u16, is_optional: false });
    flow.slots.push(SlotInfo { name: "Request".to_owned(), path: String::new(), is_secret: false });
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
        "200, 2 attempts, queued 25",
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
        "head read right after a step of 600.00 ms on its worker",
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
    GET /v1/todos/456  404 Not Found  900.0 µs  1m ago  todos-item  interactive
    ✗ not_found todo 456  in load_todo  src/todos.rs:40
    67% http GET idp.example.com/verify  not slower than the other one; median 900.0 µs
    at µs   took                                                                  █ cpu  ━ effect  ░ queue       │ event 12 of 14  635.0 µs  load_todo requested kv get todo:456
      0.0    0.0  · request                                                                            │         │
     10.0   10.0  ✓ parse_auth    wrote AuthHeader                                ▍                    │         │ effect kv get todo:456
     20.0    5.0  ✓ lookup_user   needs http                                      ▏                    │         │  step     load_todo
     25.0  600.0    ↳ http GET idp.example.com/ver…  200, 2 attempts, wrote Cla…  ╍╍╍╍╍╍╍╍╍╍╍╍  ━━━━━━━━         │  took     250.0 µs
    625.0    5.0  ✓ verify_roles                                                                       ▏         │  arguments: ["todo", 456]
    630.0    5.0  ✗ load_todo     not_found todo 456, needs kv                                         ▏         │  result: none
    635.0  250.0    ↳ kv get todo:456  not found                                                       ━━━━━━━━━━│
    900.0         · response      404, 12 bytes                                                        │         │ failure
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
                                                                                                                 │  effects  850.0 µs  94%
                                                                                                                 │  cpu      25.0 µs  3%
                                                                                                                 │  queue    10.0 µs  1%
                                                                                                                 │  unknown  15.0 µs  2%
                                                                                                                 │  http     600.0 µs in 2 calls
                                                                                                                 │  kv       250.0 µs in 1 call
                                                                                                                 │
                                                                                                                 │ compared with 1 other of its flow
                                                                                                                 │  total    not slower than the other one; median 900.0 µs
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
     \u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}漢字 \u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}漢字  404 Not Fou…
     ✗ not_found todo \u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}漢字: \u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e…
     67% http GET idp.example.com/verify  the only request of its flow
     at µs   took                                                           █ cpu  ━ effect  ░ queue
       0.0    0.0  · request                                                                   │
      10.0   10.0  ✓ parse_auth            wrote AuthHeader                 ▎                  │
      20.0    5.0  ✓ \u{1b}]52;c;AAAA\u{…  needs http                       ▎                  │
      25.0  600.0    ↳ http GET idp.example.com/…  200, 2 attempts, wrote…  ╍╍╍╍╍╍╍╍╍╍   ━━━━━━━
     625.0    5.0  ✓ verify_roles                                                              ▏
     630.0    5.0  ✗ load_todo             not_found todo \u{1b}]52;c;AAA…                     ▎
     635.0  250.0    ↳ kv get todo:456  not found                                              ━━━━━━━━━
     900.0         · response              404, 12 bytes                                       │
    ────────────────────────────────────────────────────────────────────────────────────────────────────
     event 12 of 14  635.0 µs  load_todo requested kv get todo:456                                     ┃
                                                                                                       ┃
     effect kv get todo:456                                                                            ┃
      step     load_todo                                                                               ┃
      took     250.0 µs                                                                                ┃
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
      effects  850.0 µs  94%                                                                           ┃
      cpu      25.0 µs  3%                                                                             ┃
      queue    10.0 µs  1%
      unknown  15.0 µs  2%
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
    event 0 of 14  0.00 ms  request received
      later    AuthHeader, Claims, Todo
    event 1 of 14  0.02 ms  body received
      later    AuthHeader, Claims, Todo
    event 2 of 14  0.15 ms  parse_auth ran: continue
      later    AuthHeader, Claims, Todo
    event 3 of 14  0.15 ms  parse_auth wrote AuthHeader
      AuthHeader: ●●●● (secret)
      later    Claims, Todo
    event 4 of 14  0.17 ms  lookup_user ran: need
      AuthHeader: ●●●● (secret)
      later    Claims, Todo
    event 5 of 14  0.17 ms  lookup_user requested http GET idp.example.com/verify
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
