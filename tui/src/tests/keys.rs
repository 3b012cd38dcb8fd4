//! Key handling: resulting commands, and navigation between screens.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::*;
use crate::screen::Tab;

#[test]
fn keys_navigate_between_screens() {
    use Tab::{Requests, Timeline};
    for (keys, tab) in [
        ("", Requests),
        ("<enter>", Timeline),
        ("l", Timeline),
        ("<enter><esc>", Requests),
        ("<enter><tab><esc>", Timeline),
        ("<enter><tab><esc><esc>", Requests),
        ("2", Timeline),
        ("21", Requests),
        ("?2", Requests),
        ("?<esc>2", Timeline),
        (":open<enter>", Timeline),
        (":open<esc>", Requests),
        (":<backspace>2", Timeline),
        ("/2<enter>", Requests),
        ("<enter>JJ<esc>", Requests),
    ] {
        assert_eq!(TestApp::new(80, 24, three()).press(keys).app.tab, tab, "{keys}");
    }
}

#[test]
fn keys_return_commands() {
    let id = |n: usize| Command::copy_id(three()[n].id);
    let edit = |line| Command::OpenEditor { file: "src/todos.rs".into(), line };
    for (keys, wanted) in [
        ("q", Command::Quit),
        ("<c-c>", Command::Quit),
        ("<enter>q", Command::Quit),
        ("<c-z>", Command::Suspend),
        ("<c-l>", Command::Redraw),
        ("y", id(2)),
        ("jy", id(1)),
        ("njy", id(0)),
        ("Gy", id(0)),
        ("Gkky", id(2)),
        ("jmm'y", id(1)),
        ("<enter>Jy", id(1)),
        ("<enter>JJJy", id(0)),
        ("j<enter>Ky", id(2)),
        ("<enter>e", edit(20)),
        ("<enter>Ge", edit(30)),
    ] {
        let mut ui = TestApp::new(80, 24, three());
        assert_eq!(ui.press(keys).asked, [wanted], "{keys}");
    }
    let mut ui = TestApp::new(80, 24, three());
    ui.press("<enter>Y");
    let [Command::Copy { text, .. }] = &ui.asked[..] else { panic!("{:?}", ui.asked) };
    assert_eq!(
        text,
        "# header authorization is a secret: replace SECRET\n\
         curl 'http://localhost:3000/reports/todos?latency_ms=40' -H 'authorization: SECRET' -H accept: -H user-agent:"
    );
}

#[test]
fn a_value_is_copied_from_the_inspector() {
    let mut ui = TestApp::new(80, 40, three());
    ui.press("G<enter>G<tab>/Claims:<enter>y");
    let [Command::Copy { text, .. }] = &ui.asked[..] else { panic!("{:?}", ui.asked) };
    assert_eq!(text, r#"{sub: "user-123", roles: ["admin"]}"#);
}

#[test]
fn the_mouse_acts_like_keys() {
    let mouse = |kind, column, row| {
        Message::Input(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
    };
    let click = |column, row| mouse(MouseEventKind::Down(MouseButton::Left), column, row);
    let mut ui = TestApp::new(80, 24, three());
    // The rows start below tab bar, metrics and headings.
    ui.send(click(5, 4));
    assert_eq!(ui.text(), TestApp::new(80, 24, three()).press("j").text());
    ui.send(click(5, 4));
    assert_eq!(ui.app.tab, Tab::Timeline);
    let before = ui.text();
    let splitter = before.lines().position(|line| line.starts_with('─')).unwrap() as u16;
    ui.send(click(5, splitter));
    ui.send(mouse(MouseEventKind::Drag(MouseButton::Left), 5, splitter - 3));
    ui.send(mouse(MouseEventKind::Up(MouseButton::Left), 5, splitter - 3));
    let moved = ui.text().lines().position(|line| line.starts_with('─')).unwrap() as u16;
    assert!(moved < splitter, "{}", ui.text());
    ui.send(mouse(MouseEventKind::ScrollDown, 5, moved + 2));
    assert_ne!(ui.text(), before);
    // A click on a tab.
    ui.send(click(12, 0));
    assert_eq!(ui.app.tab, Tab::Requests);
}

#[test]
fn the_help_names_every_key() {
    let mut ui = TestApp::new(80, 24, three());
    insta::assert_snapshot!(ui.press("?").text(), @r"
    ╭─ keys ─────────────────────────────────────────────────────────────────────╮
    │ requests                                                                   ┃
    │  enter l right     Open the request                                        ┃
    │  /                 Filter the list; esc clears the filter                  ┃
    │  f space           Pause the list, or go live again                        ┃
    │  s                 Sort by the next column                                 ┃
    │  n                 Next failed request                                     ┃
    │  N                 Previous failed request                                 ┃
    │  m                 Mark or unmark the request, and move down               ┃
    │  '                 Next marked request                                     ┃
    │  y                 Copy the id                                             ┃
    │  d                 Compare: press d on one request, then on another        │
    │  r                 Replay the request with the current code                │
    │                                                                            │
    │ movement                                                                   │
    │  j down            Down one row                                            │
    │  k up              Up one row                                              │
    │  ^d                Down half a page                                        │
    │  ^u                Up half a page                                          │
    │  ^f pgdn           Down one page                                           │
    │  ^b pgup           Up one page                                             │
    │  g home            First row                                               │
    │  G end             Last row                                                │
    ╰────────────────────────────────────────────────────────────────────────────╯
    ");
    let mut tall = TestApp::new(80, 90, three());
    tall.press("<enter>?");
    let text = tall.text();
    for (_, tables) in tall.app.key_tables() {
        for key in tables.into_iter().flatten() {
            assert!(text.contains(key.what), "{}", key.what);
        }
    }
}

#[test]
fn no_key_means_two_things_on_one_screen() {
    let ui = TestApp::new(80, 24, three());
    for tab in Tab::ALL {
        let mut seen: Vec<crate::keys::KeyPress> = Vec::new();
        let tables = ui.app.screens.get(tab).keys(&ui.app.shared);
        for press in tables.into_iter().flatten().flat_map(|key| key.presses) {
            assert!(!seen.contains(press), "{} on {tab:?}", press.name());
            seen.push(*press);
        }
    }
}

#[test]
fn the_command_palette_finds_parts_of_descriptions() {
    let mut ui = TestApp::new(80, 24, three());
    insta::assert_snapshot!(ui.press("<enter>:curl").text(), @r#"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     GET /reports/todos  200 OK  40.43 ms  report  interactive  1m ago
     100% http GET figures.internal/figures?..  the only request of its flow
     at ms   took                                              █ cpu  ━ effect
      0.0╭─ commands ─────────────────────────────────────────────────────────╮
      0.0│:curl                                                               │
      0.0│ Y        Copy the request as a curl command                        │
      0.0│                                                                    │━━━━━
      0.0│                                                                    │
     40.4│                                                                    │    ▏
     40.4│                                                                    │
    ─────│                                                                    │─────
     even│                                                                    │?.. ┃
         │                                                                    │    ┃
     effe│                                                                    │    ┃
      ste│                                                                    │    ┃
      too│                                                                    │    ┃
     ▾arg│                                                                    │
        m╰────────────────────────────────────────────────────────────────────╯
        url: "http://figures.internal/figures?latency_ms=40"
      result: "{"visitors":4711,"took_ms":40}"
      writes Figures: 4711

     h previous  l next event  tab pane  d diff  r replay  esc back  ? keys  q quit
    "#);
    ui.press("<enter>");
    assert!(matches!(&ui.asked[..], [Command::Copy { .. }]));
}
