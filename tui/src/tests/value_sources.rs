//! The sources of a value, shown over the timeline.

use zerver_replay::{
    ChangedInput, InputInfluence, Relation, ReplayError, ReportedValue, StepOnPath, ValuePath, ValueSlice,
};

use super::*;

fn slice(target: &str) -> ValueSlice {
    let [from, to, value] = ["4", "5", "43"].map(ReportedValue::text);
    ValueSlice {
        target: target.to_owned(),
        value: Some(ReportedValue::text("42")),
        sources: vec![InputInfluence {
            input: "query.price\u{1b}[2J".to_owned(),
            relation: Relation::FlowsInto,
            shown_by: ChangedInput { from, to, value },
            through_slots: Vec::new(),
            through_effects: Vec::new(),
        }],
        steps: vec![StepOnPath { step: "render_todo".to_owned(), source: None }],
        runs: 412,
        ..ValueSlice::default()
    }
}

/// Opens a request and searches the sources of the selected line of the inspector.
fn searched(keys: &str) -> (TestApp, Vec<ValuePath>) {
    let mut ui = TestApp::new(90, 30, vec![numbered(sample::slow(), 0)]);
    ui.press("<enter>G<tab>").press(keys).commands.clear();
    ui.press("w");
    let found = |command: &Command| match command {
        Command::FindSources { value, .. } => Some(value.clone()),
        _ => None,
    };
    let values = ui.commands.iter().filter_map(found).collect();
    (ui, values)
}

#[test]
fn lines_with_a_value_name_it() {
    for (keys, wanted) in [
        ("/status<enter>", "response.status"),
        ("/content-type<enter>", "response.header.content-type"),
        ("/bytes<enter>", "response.body"),
        ("/Claims:<enter>", "slot.Claims"),
        ("/Todo:<enter>", "slot.Todo"),
    ] {
        let (ui, values) = searched(keys);
        assert_eq!(values.iter().map(ToString::to_string).collect::<Vec<_>>(), [wanted], "{}", ui.text());
    }
    let (ui, values) = searched("/where the time<enter>");
    assert!(values.is_empty() && ui.text().contains("no value: select"), "{}", ui.text());
}

#[test]
fn the_sources_are_shown_when_they_are_found() {
    let (mut ui, _) = searched("/status<enter>");
    assert!(ui.text().contains("building, and running the request"), "{}", ui.text());
    // The result of an older search is not for this one.
    ui.send(Message::SourcesFound(0, Ok(Arc::new(slice("other")))));
    assert!(ui.text().contains("building, and running the request"), "{}", ui.text());
    ui.send(Message::SourcesFound(1, Ok(Arc::new(slice("response.status")))));
    let text = ui.text();
    for line in [
        "where response.status came from",
        "value    response.status  42",
        "from     query.price\\u{1b}[2J  4 -> 5 makes it 43",
        "steps    render_todo",
        "tried    412 runs of the request, offline, with one input changed in each",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    let text = ui.press("<esc>").text();
    assert!(!text.contains("came from") && text.contains("event "), "{text}");
    // What comes too late is ignored.
    ui.send(Message::SourcesFound(1, Ok(Arc::new(slice("response.status")))));
    assert_eq!(ui.text(), text);
    ui.press("w");
    let refused = ReplayError {
        message: "the build failed".to_owned(),
        causes: vec!["error[E0308]\n  mismatched".to_owned()],
        hints: vec!["fix it".to_owned()],
    };
    let text = ui.send(Message::SourcesFound(2, Err(refused))).text();
    assert!(
        ["the build failed", "error[E0308]", "mismatched", "fix it"].iter().all(|part| text.contains(part)),
        "{text}"
    );
}
