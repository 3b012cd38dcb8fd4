//! The list of requests.

use super::*;
use crate::dev::{Dev, State};

#[test]
fn a_list() {
    let mut traces = three();
    traces.push(nasty());
    insta::assert_snapshot!(Stage::new(80, 24, traces).text(), @r"
    zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    rate 0.0/s         p50 -         p99 -         failed -           4  following
     id             age↑  method  path                status       took  verdict
     019aa4c2-1f3e    1m  \u{1b…  \u{1b}]52;c;AAAA\…     404   900.0 µs  failed
     019aa4c2-1f3d    1m  GET     /reports/todos         200   40.43 ms
     019aa4c2-1f3c    1m  GET     /v1/todos/456          404   900.0 µs  failed
     019aa4c2-1f3b    1m  GET     /v1/todos/456          200    5.40 ms
















    enter open  / filter  f follow  s sort  d diff  r replay  ? keys  q quit
    ");
}

#[test]
fn a_list_in_a_wide_terminal_with_the_chosen_request_beside_it() {
    let mut stage = Stage::new(200, 50, three());
    insta::assert_snapshot!(stage.press("j").text(), @r"
    zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    rate 0.0/s                                  p50 -                                  p99 -                                  failed -                                                       3  held still
     id             age↑  method  path                            status       took              flow            verdict   │ GET /v1/todos/456  404 Not Found  900.0 µs  todos-item  interactive  1m ago
     019aa4c2-1f3d    1m  GET     /reports/todos                     200   40.43 ms  ██████████  report                    │ ✗ not_found todo 456  in load_todo  src/todos.rs:40
     019aa4c2-1f3c    1m  GET     /v1/todos/456                      404   900.0 µs  ▏           todos-item      failed    │ 67% http GET idp.example.com/verify
     019aa4c2-1f3b    1m  GET     /v1/todos/456                      200    5.40 ms  █▎          todos-item                │ at µs   took                                             █ cpu  ━ effect
                                                                                                                           │   0.0    0.0  · request
                                                                                                                           │  10.0   10.0  ✓ parse_auth    wrote AuthHeader           ▎
                                                                                                                           │  20.0    5.0  ✓ lookup_user   needs http                 ▏
                                                                                                                           │  25.0  600.0    ↳ http GET idp.examp…  200, 2 attempts…  ╍╍╍╍╍╍╍╍ ━━━━━━
                                                                                                                           │ 625.0    5.0  ✓ verify_roles                                           ▏
                                                                                                                           │ 630.0    5.0  ✗ load_todo     not_found todo 456, need…                ▏
                                                                                                                           │ 635.0  250.0    ↳ kv get todo:456  not found                           ━━━━━━━
                                                                                                                           │ 900.0         · response      404, 12 bytes
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
                                                                                                                           │
    enter open  / filter  f follow  s sort  d diff  r replay  ? keys  q quit
    ");
}

#[test]
fn an_empty_store() {
    insta::assert_snapshot!(Stage::new(80, 6, vec![]).text(), @r"
    zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     id             age↑  method  path                status       took  verdict

     No requests have been recorded here. They show as soon as they are.

    enter open  / filter  f follow  s sort  d diff  r replay  ? keys  q quit
    ");
    let mut app = App::new(LOOK, Size::new(80, 6), 0);
    assert!(start(&mut app, Open::Requests).is_empty());
}

#[test]
fn filters_leave_what_fits() {
    let rows = |keys: &str| {
        let mut stage = Stage::new(80, 24, three());
        let text = stage.press(keys).text();
        let is_row = |line: &&str| line.contains("019aa4c2-");
        let took = |line: &str| line.split_whitespace().nth(5).unwrap_or_default().to_owned();
        text.lines().filter(is_row).map(took).collect::<Vec<_>>().join(" ")
    };
    for (keys, wanted) in [
        ("", "40.43 900.0 5.40"),
        ("/status:4xx", "900.0"),
        ("/slower:1ms<enter>", "40.43 5.40"),
        ("/slower:1ms<enter><esc>", "40.43 900.0 5.40"),
        ("/slower:1ms<esc>", "40.43 900.0 5.40"),
        ("/v1tod<enter>", "900.0 5.40"),
        ("/slot.Todo.id=456<enter>", "5.40"),
        ("/slot.Todo.id=7", ""),
        ("/is:failed<c-u>", "40.43 900.0 5.40"),
        // What is wrong changes nothing.
        ("/status:4xx<backspace>z", "900.0"),
        ("s", "40.43 5.40 900.0"),
        ("ss", "900.0 40.43 5.40"),
        ("sss", "40.43 900.0 5.40"),
    ] {
        assert_eq!(rows(keys), wanted, "{keys}");
    }
}

#[test]
fn a_wrong_filter_says_why() {
    let mut stage = Stage::new(80, 8, three());
    insta::assert_snapshot!(stage.press("/status:9xx").text(), @r#"
    zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
    /status:9xx                           "9xx" is not a status; write one like 40…
     id             age↑  method  path                status       took  verdict
     019aa4c2-1f3d    1m  GET     /reports/todos         200   40.43 ms
     019aa4c2-1f3c    1m  GET     /v1/todos/456          404   900.0 µs  failed
     019aa4c2-1f3b    1m  GET     /v1/todos/456          200    5.40 ms

    enter keep it  esc all requests  up down move
    "#);
}

#[test]
fn the_list_is_followed_until_somebody_moves() {
    let mut stage = Stage::new(80, 10, three());
    let more = |n: u64| Message::Newer(vec![numbered(sample::slow(), n).summary()]);
    let chosen = |stage: &Stage| {
        let shared = &stage.app.shared;
        let seq = stage.app.screens.requests.chosen(shared).unwrap();
        shared.index.row(seq).unwrap().started_unix_ns - sample::slow().started_unix_ns
    };
    assert_eq!(chosen(stage.say(more(10))), 10_000_000_000, "the newest");
    assert_eq!(chosen(stage.press("j")), 2_000_000_000);
    let before = stage.text();
    for n in 11..40 {
        stage.say(more(n));
    }
    assert_eq!(chosen(&stage), 2_000_000_000, "held still");
    let rows = |text: &str| {
        text.lines().filter(|line| line.contains("019aa")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rows(&stage.text())[..4], rows(&before)[..4]);
    assert_eq!(chosen(stage.press("f")), 39_000_000_000);
    assert_eq!(chosen(stage.press("jg").say(more(50))), 50_000_000_000, "the top follows");
}

#[test]
fn what_is_developed_is_shown_with_its_errors() {
    let mut stage = Stage::new(80, 14, three());
    let state = |state| Message::Dev(Dev::State(state));
    stage.say(state(State::Building));
    stage.say(Message::Dev(Dev::Line("\u{1b}[1m   Compiling\u{1b}[0m todos".into())));
    stage.say(Message::Dev(Dev::Line("\u{1b}[91merror\u{1b}[0m: mismatched \u{202e}types".into())));
    stage.say(state(State::BuildFailed { is_serving: true }));
    insta::assert_snapshot!(stage.text(), @r"
     zerver   1 requests   2   3   4   5   ✗ build failed; the last good one serves
     rate 0.0/s         p50 -         p99 -         failed -           3  following
      id             age↑  method  path                status       took  verdict
      019aa4c2-1f3d    1m  GET     /reports/todos         200   40.43 ms
      019aa4c2-1f3c    1m  GET     /v1/todos/456          404   900.0 µs  failed
      019aa4c2-1f3b    1m  GET     /v1/todos/456          200    5.40 ms


    ─ what went wrong; L hides it ──────────────────────────────────────────────────
        Compiling todos
     error: mismatched \u{202e}types


     enter open  / filter  f follow  s sort  d diff  r replay  ? keys  q quit
    ");
    let text = stage.say(state(State::Serving("http://127.0.0.1:3000".into()))).text();
    assert!(text.contains("http://127.0.0.1:3000") && !text.contains("mismatched"), "{text}");
    assert!(stage.press("L").text().contains("mismatched"));
}

#[test]
fn every_look_draws() {
    for palette in [Palette::Dark, Palette::Light, Palette::Sixteen, Palette::Mono] {
        let mut stage = Stage::looking(Look { palette, is_ascii: true }, 120, 30, three());
        for keys in ["", "jm", "<enter>", "<tab>", "?", "<esc>:"] {
            let buffer = stage.press(keys).buffer();
            let cells = || buffer.content.iter();
            assert!(cells().all(|cell| cell.symbol().is_ascii()), "{}", stage.text());
            let colours = |cell: &ratatui::buffer::Cell| (cell.fg, cell.bg);
            let is_plain = |cell: &ratatui::buffer::Cell| {
                colours(cell) == (ratatui::style::Color::Reset, ratatui::style::Color::Reset)
            };
            assert_eq!(cells().all(is_plain), palette == Palette::Mono);
            let is_hidden =
                |cell: &&ratatui::buffer::Cell| cell.symbol() != " " && cell.fg == cell.bg && !is_plain(cell);
            assert_eq!(cells().find(is_hidden), None, "{palette:?}");
        }
    }
}

#[test]
fn the_head_is_of_what_is_listed_and_of_now() {
    let head = |stage: &Stage| stage.text().lines().nth(1).unwrap_or_default().to_owned();
    let mut stage = Stage::new(80, 24, three());
    assert!(
        head(&stage).contains("rate 0.0/s         p50 -         p99 -         failed -"),
        "{}",
        head(&stage)
    );
    // All three within the last ten seconds: 5.40 ms, 900 µs, which failed, and 40.43 ms.
    let newest = numbered(sample::slow(), 2).started_unix_ns;
    let mut app = App::new(LOOK, Size::new(80, 24), newest + 1_000_000_000);
    let requests: Vec<Summary> = three().iter().rev().map(Trace::summary).collect();
    let _ = update(&mut app, Message::Older { requests, is_last: true });
    stage.app = app;
    for (keys, wanted) in [
        ("", ["rate 0.3/s", "p50 5.40 ms", "p99 40.43 ms", "failed 34%"]),
        ("/slow", ["rate 0.0/s", "p50 -", "p99 -", "failed -"]),
        ("<c-u>v1", ["rate 0.2/s", "p50 900.0 µs", "p99 5.40 ms", "failed 50%"]),
        (" is:failed", ["rate 0.1/s", "p50 900.0 µs", "p99 900.0 µs", "failed 100%"]),
        ("<c-u>slot.Claims.sub=user-123<enter>", ["rate 0.2/s", "p50 900.0 µs", "p99 5.40 ms", "failed 50%"]),
        ("<esc>s", ["rate 0.3/s", "p50 5.40 ms", "p99 40.43 ms", "failed 34%"]),
    ] {
        stage.press(keys);
        let head = head(&stage).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(wanted.iter().all(|part| head.contains(part)), "{keys}: {head}");
    }
    // Two minutes later, and any time after that.
    for later_s in [20, 130, 9_999] {
        stage.say(Message::Now(newest + later_s * 1_000_000_000));
        let head = head(&stage).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(head.contains("rate 0.0/s") && head.contains("p99 -") && head.contains("failed -"), "{head}");
    }
}

#[test]
fn numbers_may_change_and_the_list_stays() {
    let mut stage = Stage::new(80, 24, three());
    stage.press("jm/v1<enter>");
    let before = stage.text();
    let more = numbered(sample::slow(), 9);
    stage.say(Message::Newer(vec![more.summary()]));
    let grown = stage.text();
    // As when there are too many of them, with nothing to leave out.
    let shared = &mut stage.app.shared;
    let by = shared.index.keep(10);
    stage.app.screens.requests.renumber(shared, by);
    assert_eq!(stage.text(), grown);
    assert_ne!(grown, before);
}

#[test]
fn nothing_is_drawn_again_when_nothing_has_changed() {
    let mut stage = Stage::new(120, 30, vec![sample::slow()]);
    let now = stage.app.shared.now_unix_ns;
    let mut frames = 0;
    let mut say = |stage: &mut Stage, message: Option<Message>| {
        message.into_iter().for_each(|message| _ = stage.say(message));
        frames += u32::from(stage.app.take_changed());
        frames
    };
    assert_eq!(say(&mut stage, None), 1);
    // The loop wakes up four times a second, and looks at the time.
    for tick in 0..3 {
        assert_eq!(say(&mut stage, Some(Message::Now(now + tick * 250_000_000))), 1);
    }
    // The ages have changed.
    assert_eq!(say(&mut stage, Some(Message::Now(now + 1_000_000_000))), 2);
    assert_eq!(say(&mut stage, Some(Message::Newer(Vec::new()))), 2);
    assert_eq!(say(&mut stage, Some(Message::Notice(crate::message::Notice::bad("no")))), 3);
    assert_eq!(say(&mut stage, None), 3);
}
