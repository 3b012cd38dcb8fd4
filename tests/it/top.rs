//! `zerver top` in a terminal.

use crate::harness::Place;
use crate::pty::Terminal;

#[test]
fn rows_below_the_screen_can_be_scrolled_to() {
    let place = Place::new();
    let dev = place.dev();
    dev.get("/todos");
    let mut terminal = Terminal::start(&place.command(&["top", "--addr", &dev.addr]), 100, 14);
    let text = terminal.wait_for(&["j k scroll   rows 1–12 of ", "late completions"]);
    let all: usize = text.split(" of ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!(all > 13, "{text}");
    terminal.press("j");
    terminal.wait_for(&["rows 2–13 of "]);
    terminal.press("\u{1b}[6~");
    terminal.wait("the next page", |screen| {
        screen.contents().contains("rows 13–") || screen.contents().contains(&format!("–{all} of {all}"))
    });
    terminal.press("G");
    let last = terminal.wait_for(&[&format!("–{all} of {all}")]);
    assert!(last.contains("q quit") && !last.contains("late completions"), "the first line stays: {last}");
    terminal.press("g");
    terminal.wait_for(&["rows 1–12 of ", "late completions"]);
    terminal.resize(100, 60);
    terminal.wait("everything", |screen| !screen.contents().contains("scroll"));
    terminal.press("q");
    assert!(terminal.end().success());
}
