//! The request list.

use super::*;
use crate::state::{ServiceEvent, ServiceState};

#[test]
fn the_list_fits_80_columns() {
    let mut traces = three();
    traces.push(nasty());
    insta::assert_snapshot!(TestApp::new(80, 24, traces).text(), @r"
    zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    rate 1.33/s  p50 900 µs  p99 40.4 ms  failed 0%  4xx 50%     4 in 3.00 s  live
     id             age↑  method  path                status       took  verdict
     019aa4c2-1f3e    1m  \u{1b…  \u{1b}]52;c;AAAA…      404     900 µs
     019aa4c2-1f3d    1m  GET     /reports/todos?l…      200    40.4 ms
     019aa4c2-1f3c    1m  GET     /v1/todos/456?fu…      404     900 µs
     019aa4c2-1f3b    1m  GET     /v1/todos/456?fu…      200    5.40 ms
















    enter open  / filter  f pause  s sort  d diff  r replay  ? keys  q quit
    ");
}

#[test]
fn a_wide_list_shows_the_selected_request() {
    let mut ui = TestApp::new(200, 50, three());
    insta::assert_snapshot!(ui.press("j").text(), @r"
    zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    rate 1.50/s   p50 5.40 ms   p99 40.4 ms   failed 0%   4xx 34%                                                                                                                      3 in 2.00 s  paused
     id             age↑  method  path                            status       took              flow            verdict   │ GET /v1/todos/456?full=1
     019aa4c2-1f3d    1m  GET     /reports/todos?latency_ms=40       200    40.4 ms  ██████████  report                    │ todos-item, 404 Not Found after 900 µs, 10:43:02 (1m ago), build todos 0.1.0,…
     019aa4c2-1f3c    1m  GET     /v1/todos/456?full=1               404     900 µs  ▏           todos-item                │ ✗ not_found todo 456  in load_todo  src/todos.rs:40
     019aa4c2-1f3b    1m  GET     /v1/todos/456?full=1               200    5.40 ms  █▎          todos-item                │ 67% http GET idp.example.com/verify
                                                                                                                           │      at     took                                          █ cpu  ━ effect
                                                                                                                           │    0 ns     0 ns  · request
                                                                                                                           │ 10.0 µs  10.0 µs  ✓ parse_auth    wrote AuthHeader        ▎
                                                                                                                           │ 20.0 µs  5.00 µs  ✓ lookup_user   needs http              ▏
                                                                                                                           │ 25.0 µs   600 µs    ↳ http GET idp.exa…  200, 2 attempt…  ╍╍╍╍╍╍╍╍ ━━━━━
                                                                                                                           │  625 µs  5.00 µs  ✓ verify_roles                                       ▏
                                                                                                                           │  630 µs  5.00 µs  ✗ load_todo     not_found todo 456, n…                ▏
                                                                                                                           │  635 µs   250 µs    ↳ kv get todo:456  not found                        ━━━━━━
                                                                                                                           │  900 µs           · response      404, 12 bytes
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
                                                                                                                           │
                                                                                                                           │
                                                                                                                           │
                                                                                                                           │
    enter open  / filter  f live  s sort  d diff  r replay  ? keys  q quit
    ");
}

#[test]
fn an_empty_store_offers_only_keys_that_work() {
    insta::assert_snapshot!(TestApp::new(80, 6, vec![]).text(), @r"
    zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     id             age↑  method  path                status       took  verdict

     No requests recorded yet. New ones appear here as they are recorded.

    ? keys  q quit
    ");
    let mut app = App::new(LOOK, Size::new(80, 6), 0);
    assert!(start(&mut app, StartScreen::Requests).is_empty());
}

#[test]
fn filters_and_orders_change_the_list() {
    let rows = |keys: &str| {
        let mut ui = TestApp::new(80, 24, three());
        let text = ui.press(keys).text();
        let is_row = |line: &&str| line.contains("019aa4c2-");
        let took = |line: &str| line.split_whitespace().nth(5).unwrap_or_default().to_owned();
        text.lines().filter(is_row).map(took).collect::<Vec<_>>().join(" ")
    };
    for (keys, wanted) in [
        ("", "40.4 900 5.40"),
        ("/status:4xx", "900"),
        ("/slower:1ms<enter>", "40.4 5.40"),
        ("/slower:1ms<enter><esc>", "40.4 900 5.40"),
        ("/slower:1ms<esc>", "40.4 900 5.40"),
        ("/v1tod<enter>", "900 5.40"),
        ("/slot.Todo.id=456<enter>", "5.40"),
        ("/slot.Todo.id=7", ""),
        ("/is:failed<c-u>", "40.4 900 5.40"),
        // An invalid filter changes nothing.
        ("/status:4xx<backspace>z", "900"),
        ("s", "40.4 5.40 900"),
        ("ss", "900 40.4 5.40"),
        ("sss", "40.4 900 5.40"),
    ] {
        assert_eq!(rows(keys), wanted, "{keys}");
    }
}

#[test]
fn an_invalid_filter_shows_the_reason() {
    let mut ui = TestApp::new(80, 8, three());
    insta::assert_snapshot!(ui.press("/status:9xx").text(), @r#"
    zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    /status:9xx     "9xx" is not a status; write one like 404, or a class like 5xx
     id             age↑  method  path                status       took  verdict
     019aa4c2-1f3d    1m  GET     /reports/todos?l…      200    40.4 ms
     019aa4c2-1f3c    1m  GET     /v1/todos/456?fu…      404     900 µs
     019aa4c2-1f3b    1m  GET     /v1/todos/456?fu…      200    5.40 ms

    enter apply  esc clear  up down move
    "#);
}

#[test]
fn the_list_is_live_until_the_cursor_moves() {
    let mut ui = TestApp::new(80, 10, three());
    let more = |n: u64| Message::NewRequests(vec![numbered(sample::slow(), n).summary()]);
    let selected = |ui: &TestApp| {
        let shared = &ui.app.shared;
        let seq = ui.app.screens.requests.selected(shared).unwrap();
        shared.index.row(seq).unwrap().started_unix_ns - sample::slow().started_unix_ns
    };
    assert_eq!(selected(ui.send(more(10))), 10_000_000_000, "the newest");
    assert_eq!(selected(ui.press("j")), 2_000_000_000);
    let before = ui.text();
    for n in 11..40 {
        ui.send(more(n));
    }
    assert_eq!(selected(&ui), 2_000_000_000, "paused");
    let rows = |text: &str| {
        text.lines().filter(|line| line.contains("019aa")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rows(&ui.text())[..4], rows(&before)[..4]);
    assert_eq!(selected(ui.press("f")), 39_000_000_000);
    assert_eq!(selected(ui.press("jg").send(more(50))), 50_000_000_000, "the top is live");
}

#[test]
fn a_failed_build_opens_the_service_log() {
    let mut ui = TestApp::new(80, 14, three());
    let state = |state| Message::Service(ServiceEvent::State(state));
    ui.send(state(ServiceState::Building));
    ui.send(Message::Service(ServiceEvent::Output("\u{1b}[1m   Compiling\u{1b}[0m todos".into())));
    ui.send(Message::Service(ServiceEvent::Output(
        "\u{1b}[91merror\u{1b}[0m: mismatched \u{202e}types".into(),
    )));
    ui.send(state(ServiceState::BuildFailed { is_serving: true }));
    insta::assert_snapshot!(ui.text(), @r"
     zerver   1 requests   2   3   4   5     ✗ build failed; last good build serves
     rate 1.50/s  p50 5.40 ms  p99 40.4 ms  failed 0%  4xx 34%    3 in 2.00 s  live
      id             age↑  method  path                status       took  verdict
      019aa4c2-1f3d    1m  GET     /reports/todos?l…      200    40.4 ms
      019aa4c2-1f3c    1m  GET     /v1/todos/456?fu…      404     900 µs
      019aa4c2-1f3b    1m  GET     /v1/todos/456?fu…      200    5.40 ms


    ─ errors (L to hide) ───────────────────────────────────────────────────────────
        Compiling todos
     error: mismatched \u{202e}types


     enter open  / filter  f pause  s sort  d diff  r replay  L log  ? keys  q quit
    ");
    let text = ui.send(state(ServiceState::Serving("http://127.0.0.1:3000".into()))).text();
    assert!(text.contains("127.0.0.1:3000") && !text.contains("mismatched"), "{text}");
    assert!(ui.press("L").text().contains("mismatched"));
}

#[test]
fn an_empty_list_names_the_service_and_the_web_ui() {
    let mut ui = TestApp::new(80, 24, vec![]);
    let event = Message::Service;
    ui.send(event(ServiceEvent::WebUi("http://127.0.0.1:7377/?token=0f".into())));
    ui.send(event(ServiceEvent::ExampleRequests(vec!["curl a".into(), "curl b".into()])));
    let text =
        ui.send(event(ServiceEvent::State(ServiceState::Serving("http://127.0.0.1:3000".into())))).text();
    assert!(text.contains("curl b") && text.contains("Web UI: http://127.0.0.1:7377/?token=0f"), "{text}");
}

#[test]
fn every_appearance_draws_in_ascii() {
    for colors in [ColorScheme::Dark, ColorScheme::Light, ColorScheme::Sixteen, ColorScheme::Mono] {
        let mut ui = TestApp::with_appearance(Appearance { colors, is_ascii: true }, 120, 30, three());
        for keys in ["", "jm", "<enter>", "<tab>", "?", "<esc>:"] {
            let buffer = ui.press(keys).buffer();
            let cells = || buffer.content.iter();
            assert!(cells().all(|cell| cell.symbol().is_ascii()), "{}", ui.text());
            let both = |cell: &ratatui::buffer::Cell| (cell.fg, cell.bg);
            let is_plain = |cell: &ratatui::buffer::Cell| {
                both(cell) == (ratatui::style::Color::Reset, ratatui::style::Color::Reset)
            };
            assert_eq!(cells().all(is_plain), colors == ColorScheme::Mono);
            let is_hidden =
                |cell: &&ratatui::buffer::Cell| cell.symbol() != " " && cell.fg == cell.bg && !is_plain(cell);
            assert_eq!(cells().find(is_hidden), None, "{colors:?}");
        }
    }
}

#[test]
fn the_head_describes_the_listed_requests_and_names_their_time() {
    let head = |ui: &TestApp| {
        let text = ui.text();
        text.lines().nth(1).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    // All three are within the last ten seconds: 5.40 ms, 900 µs (404) and 40.4 ms.
    let newest = numbered(sample::slow(), 2).started_unix_ns;
    let mut app = App::new(LOOK, Size::new(80, 24), newest + 1_000_000_000);
    let requests: Vec<Summary> = three().iter().rev().map(Trace::summary).collect();
    let _ = update(&mut app, Message::OlderRequests { requests, is_last: true });
    let mut ui = TestApp::new(80, 24, three());
    ui.app = app;
    let all = "p50 5.40 ms p99 40.4 ms failed 0% 4xx 34% 3 in 2.00 s";
    for (keys, wanted) in [
        ("", "last 10 s rate 18.0/min p50 5.40 ms p99 40.4 ms failed 0% 3 live"),
        ("/nothing", "rate - p50 - p99 - failed - 0 of 3 live"),
        ("<c-u>v1", "p50 900 µs p99 5.40 ms failed 0% 4xx 50% 2 of 3 in 1.00 s live"),
        (" is:failed", "rate - p50 900 µs p99 900 µs failed 0% 4xx 100% 1 of 3 live"),
        (
            "<c-u>slot.Claims.sub=user-123<enter>",
            "p50 900 µs p99 5.40 ms failed 0% 4xx 50% 2 of 3 in 1.00 s live",
        ),
        ("<esc>s", &format!("rate 1.50/s {all} paused")),
    ] {
        assert_eq!(head(ui.press(keys)), wanted, "{keys}");
    }
    // A live list without recent requests describes all of them.
    let mut ui = TestApp::new(80, 24, three());
    assert_eq!(head(&ui), format!("rate 1.50/s {all} live"));
    for later_s in [20, 130, 9_999] {
        ui.send(Message::Tick(newest + later_s * 1_000_000_000));
        assert_eq!(head(&ui), format!("rate 1.50/s {all} live"));
    }
}

#[test]
fn query_strings_are_shown_with_the_paths() {
    let mut ui = TestApp::new(120, 24, three());
    let text = ui.text();
    assert!(text.contains(" /reports/todos?latency_ms=40 "), "{text}");
    // What is not read yet is left out, and read once.
    ui.app.screens.requests = Default::default();
    let reads = |app: &mut App| {
        let commands = update(app, Message::NewRequests(vec![numbered(sample::report(7), 5).summary()]));
        commands.into_iter().filter(|command| matches!(command, Command::ReadQueries(_))).count()
    };
    assert_eq!((reads(&mut ui.app), reads(&mut ui.app)), (1, 0));
    assert!(!ui.text().contains("latency_ms"), "{}", ui.text());
    let id = numbered(sample::report(7), 5).id;
    ui.send(Message::Queries(vec![(id, "?l=7\u{1b}".to_owned())]));
    assert!(ui.text().contains("/reports/todos?l=7\\u{1b} "), "{}", ui.text());
}

#[test]
fn renumbering_does_not_change_the_list() {
    let mut ui = TestApp::new(80, 24, three());
    ui.press("jm/v1<enter>");
    let before = ui.text();
    let more = numbered(sample::slow(), 9);
    ui.send(Message::NewRequests(vec![more.summary()]));
    let grown = ui.text();
    // Renumbering, as after too many requests, but without dropping any.
    let shared = &mut ui.app.shared;
    let by = shared.index.truncate(10);
    ui.app.screens.requests.renumber(shared, by);
    assert_eq!(ui.text(), grown);
    assert_ne!(grown, before);
}

#[test]
fn nothing_is_redrawn_without_a_change() {
    let mut ui = TestApp::new(120, 30, vec![sample::slow()]);
    let now = ui.app.shared.now_unix_ns;
    let mut frames = 0;
    let mut say = |ui: &mut TestApp, message: Option<Message>| {
        message.into_iter().for_each(|message| _ = ui.send(message));
        frames += u32::from(ui.app.take_changed());
        frames
    };
    assert_eq!(say(&mut ui, None), 1);
    // The event loop ticks four times a second.
    for tick in 0..3 {
        assert_eq!(say(&mut ui, Some(Message::Tick(now + tick * 250_000_000))), 1);
    }
    // The ages have changed.
    assert_eq!(say(&mut ui, Some(Message::Tick(now + 1_000_000_000))), 2);
    assert_eq!(say(&mut ui, Some(Message::NewRequests(Vec::new()))), 2);
    assert_eq!(say(&mut ui, Some(Message::Notice(crate::state::Notice::error("no")))), 3);
    assert_eq!(say(&mut ui, None), 3);
}

#[test]
fn requests_of_one_millisecond_have_distinct_ids() {
    let same_ms = |low: u128| Trace {
        id: RequestId::from_u128(sample::slow().id.as_u128() >> 76 << 76 | low << 64),
        ..sample::slow()
    };
    let mut ui = TestApp::new(100, 12, vec![same_ms(0x1a), same_ms(0x1b)]);
    let ids = |ui: &TestApp| -> Vec<String> {
        let text = ui.text();
        let words = text.split_whitespace().filter(|word| word.starts_with("019aa4c2-"));
        words.map(str::to_owned).collect()
    };
    assert_eq!(ids(&ui), ["019aa4c2-1f3b-701b", "019aa4c2-1f3b-701a"]);
    // A printed id finds its request alone.
    for id in ids(&ui) {
        assert_eq!(ids(ui.press(&format!("/<c-u>id:{id}<enter>"))), [id]);
    }
    assert!(
        ui.press("<esc>d").text().contains("a is 019aa4c2-1f3b-701b: select b, press d"),
        "{}",
        ui.text()
    );
    assert!(ui.press("jd").text().contains("b 019aa4c2-1f3b-701a"), "{}", ui.text());
    assert!(ui.press("4<esc>1r").text().contains("019aa4c2-1f3b-701a  GET"), "{}", ui.text());
}

#[test]
fn all_traces_are_searched_in_batches() {
    let mut app = App::new(LOOK, Size::new(80, 24), sample::slow().started_unix_ns);
    let request = |n: u64| numbered(sample::slow(), n).summary();
    let requests: Vec<Summary> = (0..45_000).rev().map(request).collect();
    let _ = update(&mut app, Message::OlderRequests { requests, is_last: true });
    // Scans of a batch, until no more are requested; each reads `new` requests first.
    let mut commands = Vec::new();
    for key in ["/slot.Todo.id=7"].iter().flat_map(|keys| keys.chars()) {
        let event = Event::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE));
        commands = update(&mut app, Message::Input(event));
    }
    let mut sizes = Vec::new();
    while let Some(command) = commands.pop() {
        match command {
            Command::Scan { generation, requests, .. } => {
                sizes.push(requests.len());
                if sizes.len() == 1 {
                    commands.extend(update(&mut app, Message::NewRequests(vec![request(50_000)])));
                }
                let scanned = requests.len();
                commands
                    .extend(update(&mut app, Message::Scanned { generation, scanned, found: Vec::new() }));
            }
            Command::Continue => commands.extend(update(&mut app, Message::Continue)),
            _ => {}
        }
    }
    assert_eq!(sizes.iter().sum::<usize>(), 45_001, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size <= 20_000), "{sizes:?}");
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| app.draw(frame.buffer_mut())).unwrap();
    let text = text(terminal.backend().buffer());
    assert!(text.contains("searched 45,001 of 45,001"), "{text}");
}

#[test]
fn a_list_of_a_fleet_names_the_nodes() {
    let traces = three();
    let nodes = ["pod-1", "shop-7d9f8b6c5-x2x9z", "pod\u{1b}[31m"];
    let named: Vec<_> = traces.iter().map(|trace| trace.id).zip(nodes.map(str::to_owned)).collect();
    let mut ui = TestApp::new(80, 24, traces);
    assert!(!ui.text().contains("node"), "{}", ui.text());
    ui.send(Message::Nodes(named));
    insta::assert_snapshot!(ui.text(), @r"
    zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    rate 1.50/s  p50 5.40 ms  p99 40.4 ms  failed 0%  4xx 34%    3 in 2.00 s  live
     id             age↑  node        method  path               status       took
     019aa4c2-1f3d    1m  …u{1b}[31m  GET     /reports/todos?…      200    40.4 ms
     019aa4c2-1f3c    1m  …6c5-x2x9z  GET     /v1/todos/456?f…      404     900 µs
     019aa4c2-1f3b    1m  pod-1       GET     /v1/todos/456?f…      200    5.40 ms

















    enter open  / filter  f pause  s sort  d diff  r replay  ? keys  q quit
    ");
}
