//! Edits and their results.

use super::*;

#[test]
fn an_edit_is_distinguished_from_a_code_change() {
    insta::assert_snapshot!(run(4, &sums(), &set("Sum.of=5000")), @r#"
    different: 2 of 4, 2 replayed, 0 unanswered
    input_edited check decision: continue -> fail
    input_edited render steps: render -> not run
    input_edited check outcome: done -> failed: forbidden sum
    input_edited  response.status: 200 -> 403
    input_edited  response.headers.content-type: application/json -> application/problem+json
    input_edited  response.body: [90,"Even"] -> {"type":"about:blank","title":"Forbidden","status":403,"kind":"forbidden","what":"sum","key":"5000"}
    "#);
    insta::assert_snapshot!(run(4, &sums(), &set(r#"Sort={"Odd": {"by": 9}}"#)), @r#"
    different: 4 of 4, 2 replayed, 0 unanswered
    input_edited  response.body.1: "Even" -> {"Odd": {"by": 9}}
    "#);
    let mut late = set("Sum.of=5000");
    late.at = Some("render".into());
    insta::assert_snapshot!(run(4, &sums(), &late), @r"
    different: 4 of 4, 2 replayed, 0 unanswered
    input_edited  response.body.0: 90 -> 5000
    ");
    let changed = flow!("sums", GET "/", steps: [parse, ask, check, render_more]);
    insta::assert_snapshot!(run(4, &changed, &set(r#"Sort={"Odd": {"by": 9}}"#)), @r#"
    different: 3 of 4, 2 replayed, 0 unanswered
    code_changed render_more step: render -> render_more
    code_changed  response.body.0: 90 -> 91
    input_edited  response.body.1: "Even" -> {"Odd": {"by": 9}}
    "#);
    // Upstream of an effect: the effect has no answer any more.
    insta::assert_snapshot!(run(4, &sums(), &set("Start=5")), @r"
    different: 2 of 4, 0 replayed, 1 unanswered
    input_edited ask echo 4 arguments: 4 -> 6
    unanswered ask echo 6: an answer -> it was not recorded with these arguments
    ");
    let answered = Edits { answers: vec!["1=500000".parse().unwrap()], ..Edits::default() };
    insta::assert_snapshot!(run(4, &sums(), &answered), @r#"
    different: 2 of 4, 2 replayed, 0 unanswered
    input_edited ask Sum.of: 90 -> 500040
    input_edited check decision: continue -> fail
    input_edited render steps: render -> not run
    input_edited check outcome: done -> failed: forbidden sum
    input_edited  response.status: 200 -> 403
    input_edited  response.headers.content-type: application/json -> application/problem+json
    input_edited  response.body: [90,"Even"] -> {"type":"about:blank","title":"Forbidden","status":403,"kind":"forbidden","what":"sum","key":"500040"}
    "#);
}

#[test]
fn an_edit_that_does_not_fit_is_an_error() {
    insta::assert_snapshot!(refused(&set("Sums=1")), @r"
    no step of sums writes slot Sums
    did you mean Sum?
    ");
    insta::assert_snapshot!(refused(&set("Sum.off=1")), @r#"
    Sum has no part "off"
    did you mean of?
    "#);
    insta::assert_snapshot!(refused(&set(r#"Sum.of="x""#)), @r#"
    Sum.of cannot be set to "x"
    invalid type: string "x", expected u64
    "#);
    insta::assert_snapshot!(refused(&set("Sort=7")), @r"
    Sort cannot be set to 7
    expected a variant
    ");
    insta::assert_snapshot!(refused(&set("Request=7")), @r"
    no step of sums writes slot Request
    edit the request itself with --request-header or --request-body
    ");
    let at = |step: &str| Edits { at: Some(step.into()), ..set("Sum.of=1") };
    insta::assert_snapshot!(refused(&at("chekc")), @r"
    sums has no step chekc
    did you mean check?
    ");
    insta::assert_snapshot!(refused(&at("ask")), @r"
    ask itself writes Sum
    name a step after ask with --at
    ");
    let answer = |text: &str| Edits { answers: vec![text.parse().unwrap()], ..Edits::default() };
    insta::assert_snapshot!(refused(&answer("echo 3=7")), @r"
    no step requested echo 3
    did you mean echo 1?
    ");
    insta::assert_snapshot!(refused(&answer(r#"echo 1="x""#)), @r#"
    "x" is not an output of echo 1
    not an output of echo: invalid type: string "x", expected u64
    `zerver trace --json` prints the recorded output
    "#);
    let wrong = |text: &str| text.parse::<AnswerEdit>().unwrap_err().to_string();
    insta::assert_snapshot!(wrong("echo 1"), @r#"no JSON in "echo 1"; write EFFECT=JSON, with the effect as `zerver trace` prints it: 'kv get todo:1="Absent"'"#);
    insta::assert_snapshot!(wrong("=1"), @r#"no effect in "=1"; write EFFECT=JSON"#);
    // The name and the text may contain `=`.
    let edit: AnswerEdit = "http GET a?x=1=\"b=2\"".parse().unwrap();
    assert_eq!(edit, AnswerEdit { effect: "http GET a?x=1".to_owned(), json: "\"b=2\"".to_owned() });
    assert!("Sum".parse::<SlotEdit>().is_err() && "Sum=x".parse::<SlotEdit>().is_err());
}
