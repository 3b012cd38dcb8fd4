//! Key handling: resulting commands, and navigation between screens.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::*;
use crate::screen::Tab;
use crate::state::{ServiceEvent, ServiceState};
use crate::user_config::UserConfig;

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
        // A status of 4xx is no failure.
        ("njy", id(1)),
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
        assert_eq!(ui.press(keys).commands, [wanted], "{keys}");
    }
    let mut ui = TestApp::new(80, 24, three());
    ui.press("<enter>Y");
    let [Command::Copy { text, .. }] = &ui.commands[..] else { panic!("{:?}", ui.commands) };
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
    let [Command::Copy { text, .. }] = &ui.commands[..] else { panic!("{:?}", ui.commands) };
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
    ╭─ keys ───────────────────────────────────────────────────────────────────────╮
    │ requests                                                                     ┃
    │  enter l right     Open the request                                          ┃
    │  /                 Filter the list; esc clears the filter                    ┃
    │  f space           Pause the list                                            ┃
    │  s                 Sort by the next column                                   ┃
    │  n                 Next failed request                                       ┃
    │  N                 Previous failed request                                   ┃
    │  m                 Mark or unmark the request, and move down                 ┃
    │  '                 Next marked request                                       ┃
    │  y                 Copy the id                                               ┃
    │  d                 Compare: press d on one request, then on another          │
    │  r                 Replay the request with the current code                  │
    │                                                                              │
    │ movement                                                                     │
    │  j down            Down one row                                              │
    │  k up              Up one row                                                │
    │  ^d                Down half a page                                          │
    │  ^u                Up half a page                                            │
    │  ^f pgdn           Down one page                                             │
    │  ^b pgup           Up one page                                               │
    │  g home            First row                                                 │
    │  G end             Last row                                                  │
    ╰──────────────────────────────────────────────────────────────────────────────╯
    ");
    let mut tall = TestApp::new(80, 90, three());
    tall.press("<enter>?");
    let text = tall.text();
    for (_, tables) in tall.app.key_tables() {
        for key in tables.into_iter().flatten() {
            assert!(text.contains(key.description), "{}", key.description);
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
     GET /reports/todos?latency_ms=40
     report, 200 OK after 40.4 ms, 10:43:03 (1m ago), build todos 0.1.0, interactive
     100% http GET figures.internal/figures?..  the only request of its flow
         ╭─ commands ─────────────────────────────────────────────────────────╮
        0│:curl                                                               │
     12.0│ Y        Copy the request as a curl command                        │
     20.0│                                                                    │
     30.0│                                                                    │━━━━━
     30.0│                                                                    │
     40.4│                                                                    │    ▏
     40.4│                                                                    │
    ─────│                                                                    │─────
     even│                                                                    │?.. ┃
         │                                                                    │    ┃
     effe│                                                                    │    ┃
      ste│                                                                    │    ┃
      too│                                                                    │
     ▾arg╰────────────────────────────────────────────────────────────────────╯
        method: "GET"
        url: "http://figures.internal/figures?latency_ms=40"
      result: "{"visitors":4711,"took_ms":40}"
      writes Figures: 4711
     h previous  l next event  tab pane  d diff  r replay  esc back  ? keys  q quit
    "#);
    ui.press("<enter>");
    assert!(matches!(&ui.commands[..], [Command::Copy { .. }]));
}

#[test]
fn the_footer_shows_only_keys_that_have_an_effect() {
    let footer = |ui: &TestApp| ui.text().lines().last().unwrap_or_default().trim().to_owned();
    let mut empty = TestApp::new(120, 12, Vec::new());
    assert_eq!(footer(&empty), "? keys  q quit");
    empty.send(Message::Service(ServiceEvent::State(ServiceState::Building)));
    assert_eq!(footer(&empty), "L log  ? keys  q quit", "the log exists only in `zerver dev`");
    for (keys, wanted) in [
        ("2", "esc back  ? keys  q quit"),
        ("3", "esc back  ? keys  q quit"),
        ("4", "esc back  ? keys  q quit"),
        ("5", "esc back  ? keys  q quit"),
    ] {
        assert_eq!(footer(TestApp::new(120, 12, Vec::new()).press(keys)), wanted, "{keys}");
    }
    let list = "enter open  / filter  f pause  s sort  d diff  r replay  ? keys  q quit";
    let mut ui = TestApp::new(120, 24, three());
    assert_eq!(footer(&ui), list);
    assert_eq!(
        footer(ui.press("/status:5xx<enter>")),
        "/ filter  f pause  s sort  ? keys  q quit",
        "no matches"
    );
    // In a replay: a slot, an effect, an injected fault, an edited slot.
    let mut ui = TestApp::new(120, 40, vec![sample::slow()]);
    assert_eq!(footer(ui.press("rj")), "tab pane  enter edit  Y copy  r again  esc back  ? keys  q quit");
    assert_eq!(
        footer(ui.press("jj")),
        "tab pane  enter edit  f fault  Y copy  r again  esc back  ? keys  q quit"
    );
    assert_eq!(
        footer(ui.press("f")),
        "tab pane  enter edit  f fault  x revert  u undo  Y copy  r again  esc back  ? keys  q quit"
    );
    let edited = "tab pane  enter edit  x revert  u undo  Y copy  s step  r again  esc back  ? keys  q quit";
    assert_eq!(footer(ui.press("kk<enter><c-u>.sub=1<enter>")), edited);
}

#[test]
fn a_key_without_an_effect_gives_a_notice() {
    let mut ui = TestApp::new(80, 24, three());
    for (key, wanted) in [
        ("z", "z does nothing here; ? lists all keys"),
        ("L", "L does nothing here; ? lists all keys"),
        ("<c-x>", "^x does nothing here; ? lists all keys"),
    ] {
        assert!(ui.press(key).text().contains(wanted), "{key}: {}", ui.text());
    }
    assert!(!ui.press("j").text().contains("does nothing"), "any key dismisses it");
    let alt = KeyEvent::new(KeyCode::Char('x'), KeyModifiers::ALT);
    assert!(ui.send(Message::Input(Event::Key(alt))).text().contains("that key does nothing here"));
    let mut empty = TestApp::new(80, 24, Vec::new());
    for key in ["d", "r", "s", "<enter>"] {
        assert!(empty.press(key).text().contains("does nothing here"), "{key}: {}", empty.text());
    }
    // A screen that knows the reason explains it.
    let text = TestApp::new(80, 24, vec![sample::slow()]).press("rf").text();
    assert!(text.contains("only effects can fail") && !text.contains("does nothing"), "{text}");
    assert!(!ui.press("<esc><esc>").text().contains("does nothing"), "esc is always allowed");
}

/// Returns an app whose user has this file.
fn configured(text: &str) -> TestApp {
    let (mut config, mistakes) = UserConfig::read(text);
    config.warning = mistakes.first().map(ToString::to_string);
    let mut ui = TestApp::new(80, 24, three());
    ui.app.configure(&config, LOOK);
    ui
}

#[test]
fn the_keys_of_the_user_act_and_are_shown() {
    let mut ui = configured(
        "[keys]\ndown = \"t\"\nhelp = \"H\"\n[keys.requests]\nopen = \"o\"\n[keys.timeline]\nfold = \"o\"\n",
    );
    let second = TestApp::new(80, 24, three()).press("j").text();
    assert!(ui.press("t").text().lines().zip(second.lines()).take(20).all(|(own, wanted)| own == wanted));
    assert!(ui.text().contains("H keys") && ui.text().contains("o open"), "{}", ui.text());
    assert!(ui.press("j").text().contains("j does nothing here; H lists all keys"), "{}", ui.text());
    let help = ui.press("H").text();
    assert!(
        help.contains(" o                 Open the request") && !help.contains("enter l right"),
        "{help}"
    );
    assert_eq!(ui.press("<esc>o").app.tab, Tab::Timeline);
    assert!(ui.press(":fold").text().contains(" o "), "{}", ui.text());
    assert_eq!(ui.press("<esc><c-c>").commands, [Command::Quit]);
}

#[test]
fn a_mistake_is_shown_and_nothing_else_changes() {
    let mut ui = configured("[keys]\ndown = \"n\"");
    assert!(ui.text().contains("line 2: n is both"), "{}", ui.text());
    assert_eq!(ui.press("jy").commands, [Command::copy_id(three()[1].id)]);
    let mut broken = configured("keys = [");
    assert!(broken.text().contains("line 1: "), "{}", broken.text());
    assert_eq!(broken.press("jy").commands, [Command::copy_id(three()[1].id)]);
}
