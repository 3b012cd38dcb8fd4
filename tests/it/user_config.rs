//! Keys, colors and themes of the terminal UI, from the user's file.

use std::fs;
use std::process::Command;

use crate::demo_store::DemoStore;
use crate::harness::Ran;
use crate::pty::Terminal;

/// Returns the command that opens the demo store with this file.
fn tui(demo: &DemoStore, file: &str) -> Command {
    let path = demo.file("tui.toml");
    fs::write(&path, file).unwrap();
    let mut command = demo.place.command(&["--store", &demo.dir, "tui"]);
    command.env("ZERVER_TUI_CONFIG", path).env("COLORTERM", "truecolor");
    command
}

#[test]
fn the_users_keys_and_colors_apply_and_a_mistake_is_shown() {
    let demo = DemoStore::unpack();
    let file = "[colors]\nselected = \"on #010203\"\n[keys]\nquit = \"Z\"\ndwon = \"j\"\n";
    let mut terminal = Terminal::start(&tui(&demo, file), 100, 24);
    terminal.wait_for(&["requests", "line 5: there is no action dwon; did you mean down?"]);
    assert!(String::from_utf8_lossy(&terminal.written()).contains("48;2;1;2;3"), "the tab has the color");
    terminal.press("?");
    terminal.wait_for(&["Filter the list", "Open the request"]);
    terminal.press("\u{1b}");
    terminal.wait("the end of the help", |screen| !screen.contents().contains("Filter the list"));
    terminal.press("Z");
    assert!(terminal.end().success());

    let mut plain = tui(&demo, file);
    plain.env("NO_COLOR", "1");
    let mut terminal = Terminal::start(&plain, 100, 24);
    terminal.wait_for(&["requests", "line 5"]);
    assert!(!String::from_utf8_lossy(&terminal.written()).contains("8;2;"), "NO_COLOR wins");
    terminal.press("\u{3}");
    assert!(terminal.end().success(), "ctrl-c always quits");
}

#[test]
fn the_defaults_are_printed_and_a_file_is_checked() {
    let demo = DemoStore::unpack();
    let run = |file: &str, option: &str| Ran::of(tui(&demo, file).arg(option).output().unwrap());
    let defaults = run("", "--print-config");
    assert!(defaults.code == Some(0) && defaults.out.contains("[keys.timeline]"), "{defaults:?}");
    let checked = run(&defaults.out, "--check-config");
    assert!(
        checked.code == Some(0) && checked.out.is_empty() && checked.err.contains("no mistakes"),
        "{checked:?}"
    );
    let checked = run("theme = \"night\"\n[keys]\ndwon = \"j\"\nup = \"\\u001b[2J\"\n", "--check-config");
    let lines: Vec<_> = checked.out.lines().collect();
    assert!(checked.code == Some(1) && lines.len() == 3, "{checked:?}");
    assert!(!checked.out.contains('\u{1b}'), "{checked:?}");
    fs::create_dir(demo.file("themes")).unwrap();
    fs::write(demo.file("themes/night.toml"), "base = \"dark\"\n[colors]\nbad = \"red\"\n").unwrap();
    assert_eq!(run("theme = \"night\"\n", "--check-config").code, Some(0));
}
