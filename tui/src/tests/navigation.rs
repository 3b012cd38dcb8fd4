//! Navigation between screens, and screens without content.

use super::diff::two;
use super::*;
use crate::state::{ServiceEvent, ServiceState};

#[test]
fn empty_screens_explain_what_to_do() {
    for (key, wanted) in [
        ("3", "press d on one request"),
        ("2", "Select one in the list (1) and press enter"),
        ("4", "Select a request in the list (1) and press r"),
        ("5", "loading"),
    ] {
        let text = TestApp::new(80, 24, Vec::new()).press(key).text();
        assert!(text.contains(wanted), "{text}");
    }
    let mut ui = TestApp::new(80, 24, Vec::new());
    ui.press("5").send(Message::Flows(Err("it is damaged".into())));
    assert!(ui.text().contains("it is damaged"));
}

#[test]
fn no_screen_is_a_dead_end() {
    let mut ui = TestApp::new(80, 24, two());
    assert!(ui.press("j2").text().contains("latency_ms=0"), "the selected request is open");
    assert!(ui.press("1d3").text().contains("Select b in the list (1) and press d"), "{}", ui.text());
    assert!(ui.press("2").text().contains("parse_report"), "the open request stays open");
}

#[test]
fn errors_stay_long_enough_to_be_read() {
    let mut ui = TestApp::new(80, 24, two());
    assert!(ui.press("n").text().contains("no failed request below"));
    assert!(ui.press("j").text().contains("no failed request below"), "a key pressed at once");
    let now = ui.app.shared.now_unix_ns + 2_000_000_000;
    ui.send(Message::Tick(now));
    assert!(ui.text().contains("no failed request below"));
    assert!(!ui.press("j").text().contains("no failed request below"), "a key later");
    assert!(!ui.press("yj").text().contains("copied"), "confirmations can be dismissed at once");
}

#[test]
fn an_empty_filter_shows_examples_and_matches_are_underlined() {
    let mut ui = TestApp::new(80, 24, two());
    let text = ui.press("/").text();
    assert!(text.contains("part of a path, or status:5xx") && text.contains("enter apply"), "{text}");
    let text = ui.press("t").text();
    assert!(!text.contains("part of a path"), "{text}");
    let marked: String = {
        let buffer = ui.buffer();
        let underlined = ratatui::style::Modifier::UNDERLINED;
        let cells = buffer.content.iter().filter(|cell| cell.modifier.contains(underlined));
        cells.map(|cell| cell.symbol().to_owned()).collect()
    };
    assert_eq!(marked, "tt", "in the path of both");
}

#[test]
fn requests_changed_by_new_code_are_marked() {
    let mut ui = TestApp::new(80, 24, two());
    let mut dev = |state| ui.send(Message::Service(ServiceEvent::State(state))).commands.clone();
    let serving = || ServiceState::Serving("http://127.0.0.1:3000".into());
    dev(ServiceState::Building);
    assert!(
        !dev(serving()).iter().any(|command| matches!(command, Command::CheckReplays { .. })),
        "the first build"
    );
    dev(ServiceState::Building);
    let ids = vec![two()[1].id, two()[0].id];
    assert_eq!(dev(serving()).last(), Some(&Command::CheckReplays { number: 1, ids: ids.clone() }));
    let before = ui.text();
    // Results of an older check are ignored.
    ui.send(Message::ReplayChecked(0, ids[0], Some(true)));
    assert_eq!(ui.text(), before);
    let text = ui.send(Message::ReplayChecked(1, ids[0], Some(false))).text();
    assert!(text.contains(" ✓ none of 1 differ with the new code; 1 to go"), "{text}");
    let text = ui.send(Message::ReplayChecked(1, ids[1], Some(true))).text();
    let marked: Vec<&str> = text.lines().filter(|line| line.contains('≠')).collect();
    assert!(marked.len() == 2 && marked[1].contains(&ids[1].short(12)), "{text}");
    assert!(marked[0].contains("1 of 2 differs with the new code   c shows the next"), "{text}");
    // The key goes to it, from anywhere.
    for keys in ["c", "gc", "Gc", "cc"] {
        ui.commands.clear();
        ui.press(keys).press("y");
        let copied = ui
            .commands
            .iter()
            .any(|command| matches!(command, Command::Copy { text, .. } if *text == ids[1].to_string()));
        assert!(copied, "{keys}: {:?}", ui.commands);
    }
}
