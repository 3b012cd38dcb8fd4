//! Code that has changed since the recording: effects, steps, slots.

use super::*;

mod other {
    //! The same flow after a change.

    use super::*;

    #[step]
    pub(super) fn render(sum: &Sum, sort: &Sort) -> Response {
        let _ = (sum, sort);
        panic!("it never was finished");
    }

    #[step]
    pub(super) fn ask_less(start: &Start) -> Decision<(Sum, Sort)> {
        Need(effect(Echo(start.0)).map(|a| (Sum { of: a, sort: None }, Sort::Even)))
    }

    #[step]
    pub(super) fn ask_more(start: &Start) -> Decision<(Sum, Sort)> {
        let more = all((effect(Echo(start.0)), effect(Echo(start.0 + 1)), effect(Echo(99))));
        Need(more.map(|(a, b, c)| (Sum { of: a + b + c, sort: None }, Sort::Even)))
    }

    #[step]
    pub(super) fn ask_otherwise(start: &Start) -> Decision<(Sum, Sort)> {
        let turned = all((effect(Echo(start.0 + 1)), effect(Echo(start.0))));
        Need(turned.map(|(b, a)| (Sum { of: a + b, sort: None }, Sort::Even)))
    }

    #[step]
    pub(super) fn ask_changed(start: &Start) -> Decision<(Sum, Sort)> {
        let changed = all((effect(Echo(start.0)), effect(Echo(start.0 + 2))));
        Need(changed.map(|(a, b)| (Sum { of: a + b, sort: None }, Sort::Even)))
    }
}

#[test]
fn a_panic_is_located_in_the_source() {
    zerver_engine::install_panic_hook();
    let flow = flow!("sums", GET "/", steps: [parse, ask, check, other::render]);
    let report = again(recorded(4), &flow, &Edits::default()).unwrap();
    let source = |field: &str| {
        let finding = report.findings.iter().find(|finding| finding.field == field);
        let line = finding?.source.as_ref()?.line;
        include_str!("changes.rs").lines().nth(line as usize - 1)
    };
    assert!(source("outcome").unwrap().contains("it never was finished"), "{report:?}");
    assert!(source("decision").unwrap().contains("fn render"), "{report:?}");
}

#[test]
fn missing_extra_and_reordered_effects_are_named() {
    let less = flow!("sums", GET "/", steps: [parse, other::ask_less, check, render]);
    insta::assert_snapshot!(run(4, &less, &Edits::default()), @r"
    different: 3 of 4, 1 replayed, 0 unanswered
    code_changed ask_less step: ask -> ask_less
    missing_effect ask_less echo 5: requested -> nothing
    code_changed ask_less Sum.of: 90 -> 40
    code_changed  response.body.0: 90 -> 40
    ");
    let more = flow!("sums", GET "/", steps: [parse, other::ask_more, check, render]);
    insta::assert_snapshot!(run(4, &more, &Edits::default()), @r"
    different: 1 of 4, 0 replayed, 1 unanswered
    code_changed ask_more step: ask -> ask_more
    extra_effect ask_more echo 99: nothing -> requested
    unanswered ask_more echo 99: an answer -> it was not recorded with these arguments
    ");
    let turned = flow!("sums", GET "/", steps: [parse, other::ask_otherwise, check, render]);
    insta::assert_snapshot!(run(4, &turned, &Edits::default()), @r"
    different: 3 of 4, 2 replayed, 0 unanswered
    code_changed ask_otherwise step: ask -> ask_otherwise
    reordered_effect ask_otherwise echo 4: requested first -> requested later
    ");
    let changed = flow!("sums", GET "/", steps: [parse, other::ask_changed, check, render]);
    insta::assert_snapshot!(run(4, &changed, &Edits::default()), @r"
    different: 1 of 4, 0 replayed, 1 unanswered
    code_changed ask_changed step: ask -> ask_changed
    code_changed ask_changed echo 5 arguments: 5 -> 6
    unanswered ask_changed echo 6: an answer -> it was not recorded with these arguments
    ");
    let answer = Edits { answers: vec!["echo 6=7".parse().unwrap()], ..Edits::default() };
    insta::assert_snapshot!(run(4, &changed, &answer), @r"
    different: 3 of 4, 2 replayed, 0 unanswered
    code_changed ask_changed step: ask -> ask_changed
    code_changed ask_changed echo 5 arguments: 5 -> 6
    input_edited ask_changed Sum.of: 90 -> 47
    input_edited  response.body.0: 90 -> 47
    ");
}

mod typed {
    //! A slot whose type has changed, and one that was renamed.

    use super::*;

    #[derive(Debug, Slot, Serialize, Deserialize)]
    pub(super) struct Sum {
        of: String,
    }

    #[derive(Debug, Slot, Serialize, Deserialize)]
    pub(super) struct Kind(u64);

    #[step]
    pub(super) fn ask(start: &Start) -> Decision<(Sum, Kind)> {
        let both = all((effect(Echo(start.0)), effect(Echo(start.0 + 1))));
        Need(both.map(|(a, b)| (Sum { of: (a + b).to_string() }, Kind(a % 2))))
    }

    #[step]
    pub(super) fn render(sum: &Sum, _kind: &Kind) -> Response {
        Response::json(&(&sum.of, "Even"))
    }
}

#[test]
fn renamed_and_removed_steps_and_slots_are_named() {
    let renamed = flow!("sums", GET "/", steps: [parse, ask, check, render_sum]);
    insta::assert_snapshot!(run(4, &renamed, &Edits::default()), @r"
    different: 3 of 4, 2 replayed, 0 unanswered
    code_changed render_sum step: render -> render_sum
    ");
    let removed = flow!("sums", GET "/", steps: [parse, ask, render]);
    insta::assert_snapshot!(run(4, &removed, &Edits::default()), @r"
    different: 3 of 4, 2 replayed, 0 unanswered
    code_changed check step: check -> no such step
    ");
    let typed = flow!("sums", GET "/", steps: [parse, typed::ask, typed::render]);
    insta::assert_snapshot!(run(4, &typed, &Edits::default()), @r#"
    different: 3 of 4, 2 replayed, 0 unanswered
    code_changed ask Sum.of: 90 -> "90"
    code_changed ask Sum.sort: none -> nothing
    code_changed ask Sort: Even -> no such slot; it writes Kind instead
    code_changed check step: check -> no such step
    code_changed  response.body.0: 90 -> "90"
    "#);
}
