//! Key handling: resulting commands, and navigation between screens.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::*;
use crate::screen::Tab;

#[test]
fn keys_lead_somewhere() {
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
fn keys_ask_for_something() {
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
        let mut stage = TestApp::new(80, 24, three());
        assert_eq!(stage.press(keys).asked, [wanted], "{keys}");
    }
    let mut stage = TestApp::new(80, 24, three());
    stage.press("<enter>Y");
    let [Command::Copy { text, .. }] = &stage.asked[..] else { panic!("{:?}", stage.asked) };
    assert_eq!(
        text,
        "# header authorization is a secret: SECRET stands for it\n\
         curl 'http://localhost:3000/reports/todos?latency_ms=40' -H 'authorization: SECRET' -H accept: -H user-agent:"
    );
}

#[test]
fn a_value_is_copied_from_the_inspector() {
    let mut stage = TestApp::new(80, 40, three());
    stage.press("G<enter>G<tab>/Claims:<enter>y");
    let [Command::Copy { text, .. }] = &stage.asked[..] else { panic!("{:?}", stage.asked) };
    assert_eq!(text, r#"{sub: "user-123", roles: ["admin"]}"#);
}

#[test]
fn the_mouse_does_what_keys_do() {
    let mouse = |kind, column, row| {
        Message::Input(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
    };
    let click = |column, row| mouse(MouseEventKind::Down(MouseButton::Left), column, row);
    let mut stage = TestApp::new(80, 24, three());
    // The rows start below tab bar, metrics and headings.
    stage.send(click(5, 4));
    assert_eq!(stage.text(), TestApp::new(80, 24, three()).press("j").text());
    stage.send(click(5, 4));
    assert_eq!(stage.app.tab, Tab::Timeline);
    let before = stage.text();
    let splitter = before.lines().position(|line| line.starts_with('─')).unwrap() as u16;
    stage.send(click(5, splitter));
    stage.send(mouse(MouseEventKind::Drag(MouseButton::Left), 5, splitter - 3));
    stage.send(mouse(MouseEventKind::Up(MouseButton::Left), 5, splitter - 3));
    let moved = stage.text().lines().position(|line| line.starts_with('─')).unwrap() as u16;
    assert!(moved < splitter, "{}", stage.text());
    stage.send(mouse(MouseEventKind::ScrollDown, 5, moved + 2));
    assert_ne!(stage.text(), before);
    // A click on a tab.
    stage.send(click(12, 0));
    assert_eq!(stage.app.tab, Tab::Requests);
}

#[test]
fn the_help_names_every_key() {
    let mut stage = TestApp::new(80, 24, three());
    insta::assert_snapshot!(stage.press("?").text(), @r"
    ╭─ keys ─────────────────────────────────────────────────────────────────────╮
    │ requests                                                                   ┃
    │  enter l right     Open the request                                        ┃
    │  /                 Filter the list; esc takes the filter away              ┃
    │  f space           Follow new requests, or hold the list still             ┃
    │  s                 Sort by another column                                  ┃
    │  n                 To the next one that failed                             ┃
    │  N                 To the one before that failed                           ┃
    │  m                 Mark the request, or take its mark away                 ┃
    │  '                 To the next marked request                              ┃
    │  y                 Copy the id                                             │
    │  L                 Navigation or hide what the service says (zerver dev)         │
    │  d                 Compare: d on one, then d on the other                  │
    │  r                 Run it again with today's code                          │
    │                                                                            │
    │ moving                                                                     │
    │  j down            One row down                                            │
    │  k up              One row up                                              │
    │  ^d                Half a page down                                        │
    │  ^u                Half a page up                                          │
    │  ^f pgdn           A page down                                             │
    │  ^b pgup           A page up                                               │
    │  g home            To the first row                                        │
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
    let stage = TestApp::new(80, 24, three());
    for tab in Tab::ALL {
        let mut seen: Vec<crate::keys::KeyPress> = Vec::new();
        let tables = stage.app.screens.get(tab).keys(&stage.app.shared);
        for press in tables.into_iter().flatten().flat_map(|key| key.presses) {
            assert!(!seen.contains(press), "{} on {tab:?}", press.name());
            seen.push(*press);
        }
    }
}

#[test]
fn the_palette_finds_by_parts_of_names() {
    let mut stage = TestApp::new(80, 24, three());
    insta::assert_snapshot!(stage.press("<enter>:curl").text(), @r#"
     zerver   1 requests   2 timeline   3 diff   4 replay   5 flows
     GET /reports/todos  200 OK  40.43 ms  report  interactive  1m ago
     100% http GET figures.internal/figures?..  the only one of its flow
     at ms   took                                              █ cpu  ━ effect
      0.0╭─ what to do ───────────────────────────────────────────────────────╮
      0.0│:curl                                                               │
      0.0│ Y        Copy the request as a curl command                        │
      0.0│                                                                    │━━━━━
      0.0│                                                                    │
     40.4│                                                                    │    ▏
     40.4│                                                                    │
    ─────│                                                                    │─────
     even│                                                                    │..  ┃
         │                                                                    │    ┃
     effe│                                                                    │    ┃
      ask│                                                                    │    ┃
      too│                                                                    │    ┃
     ▾arg│                                                                    │
        m╰────────────────────────────────────────────────────────────────────╯
        url: "http://figures.internal/figures?latency_ms=40"
      result: "{"visitors":4711,"took_ms":40}"
      writes Figures: 4711

     h back in time  l on  tab pane  i section  e edit  y copy  ? keys  q quit
    "#);
    stage.press("<enter>");
    assert!(matches!(&stage.asked[..], [Command::Copy { .. }]));
}
