//! Navigation between screens, and screens without content.

use super::diff::two;
use super::*;
use crate::state::{ServiceEvent, ServiceState};

#[test]
fn nothing_to_show_says_so() {
    for (key, wanted) in [
        ("3", "press d on one request"),
        ("2", "enter opens one"),
        ("4", "r runs the chosen one"),
        ("5", "loading"),
    ] {
        let text = TestApp::new(80, 24, Vec::new()).press(key).text();
        assert!(text.contains(wanted), "{text}");
    }
    let mut stage = TestApp::new(80, 24, Vec::new());
    stage.press("5").send(Message::Flows(Err("it is damaged".into())));
    assert!(stage.text().contains("it is damaged"));
}

#[test]
fn no_screen_is_a_dead_end() {
    let mut stage = TestApp::new(80, 24, two());
    assert!(stage.press("j2").text().contains("latency_ms=0"), "the chosen request is open");
    assert!(stage.press("1d3").text().contains("is the first of two. 1 shows the list"), "{}", stage.text());
    assert!(stage.press("2").text().contains("parse_report"), "what was open stays open");
}

#[test]
fn what_went_wrong_stays_until_it_can_have_been_read() {
    let mut stage = TestApp::new(80, 24, two());
    assert!(stage.press("n").text().contains("no request below failed"));
    assert!(stage.press("j").text().contains("no request below failed"), "a key right after it");
    let now = stage.app.shared.now_unix_ns + 2_000_000_000;
    stage.send(Message::Tick(now));
    assert!(stage.text().contains("no request below failed"));
    assert!(!stage.press("j").text().contains("no request below failed"), "a key later");
    assert!(!stage.press("yj").text().contains("copied"), "what went well needs no time");
}

#[test]
fn a_filter_says_what_it_can_be_and_how_it_ends() {
    let mut stage = TestApp::new(80, 24, two());
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
    let mut stage = TestApp::new(80, 24, two());
    let mut dev = |state| stage.send(Message::Service(ServiceEvent::State(state))).asked.clone();
    let serving = || ServiceState::Serving("http://127.0.0.1:3000".into());
    dev(ServiceState::Building);
    assert!(
        !dev(serving()).iter().any(|command| matches!(command, Command::CheckReplays { .. })),
        "it is the first"
    );
    dev(ServiceState::Building);
    let ids = vec![two()[1].id, two()[0].id];
    assert_eq!(dev(serving()).last(), Some(&Command::CheckReplays { number: 1, ids: ids.clone() }));
    let before = stage.text();
    // Results of an older check are ignored.
    stage.send(Message::ReplayChecked(0, ids[0], true)).send(Message::ReplayChecked(1, ids[0], false));
    assert_eq!(stage.text(), before);
    let text = stage.send(Message::ReplayChecked(1, ids[1], true)).text();
    let marked: Vec<&str> = text.lines().filter(|line| line.contains('≠')).collect();
    assert!(marked.len() == 1 && marked[0].contains(&ids[1].short(12)), "{text}");
}
