//! Report of one replay, as text.

pub(crate) mod fault_group_table;
pub(crate) mod fault_table;
pub(crate) mod many;

use zerver_replay::value::side_by_side::finding_sides;
use zerver_replay::{EditedOutcome, Finding, FindingClass, Report, ReportedValue};
use zerver_trace::text::clean;

use zerver_trace::duration::show;
use zerver_tui::side_by_side;

use crate::view::layout::field;
use crate::view::status::status;
use crate::view::{count, fill, fit, paint, style, width};

/// Returns the whole report. Values are truncated unless it is verbose.
pub(crate) fn replay(report: &Report, columns: usize, is_verbose: bool) -> String {
    let room = if is_verbose { usize::MAX } else { columns };
    let mut out = verdict(report);
    let edits: Vec<String> = report
        .applied
        .iter()
        .map(|edit| {
            let step = if edit.step.is_empty() {
                String::new()
            } else {
                format!("  first seen by {}", clean(&edit.step))
            };
            let change = change(&edit.from, &edit.to, room.saturating_sub(30 + width(&edit.target)));
            format!("{}  {change}{}", clean(&edit.target), paint(style::FAINT, &step))
        })
        .collect();
    out += &field("edited", &edits);
    if let Some(edited_outcome) = &report.edited_outcome {
        out += &field("ending", &ended(edited_outcome));
    }
    for finding in &report.findings {
        out += &one(finding, room);
    }
    let cleaned = |texts: &[String]| texts.iter().map(|text| clean(text).into_owned()).collect::<Vec<_>>();
    out += &field("not compared", &cleaned(&report.not_compared));
    out += &field("note", &cleaned(&report.notes));
    if let Some(response) = &report.response {
        let mut lines = vec![paint(style::status(response.status), &status(response.status))];
        if is_verbose {
            lines.extend(
                response.headers.iter().map(|(name, value)| format!("{}: {}", clean(name), clean(value))),
            );
        }
        match &response.body {
            _ if let Some(stream) = &response.stream => {
                lines.push(fit(&format!("(streamed by {})", clean(stream)), room.saturating_sub(9)));
            }
            Some(body) if body.is_empty() => {}
            Some(body) => {
                lines.extend(body.split('\n').map(|line| fit(&clean(line), room.saturating_sub(9))))
            }
            None => lines.push(format!("({} bytes)", response.body_bytes)),
        }
        out += &field("response", &lines);
    }
    out
}

fn verdict(report: &Report) -> String {
    let c = report.coverage;
    let style = style::sameness(report.sameness());
    let unanswered = match c.effects_unanswered {
        0 => String::new(),
        n => format!(", {n} unanswered"),
    };
    format!(
        "{}: {} of {} reproduced, {} from the recording, {} live{unanswered}\n",
        paint(style, report.verdict()),
        c.decisions_reproduced,
        count(c.decisions_recorded.into(), "decision", "decisions"),
        count(c.effects_replayed.into(), "effect", "effects"),
        c.effects_live,
    )
}

/// Returns how a run with edits ended, and how long it would have taken; nothing if both are as recorded.
fn ended(edited_outcome: &EditedOutcome) -> Vec<String> {
    let failed = (edited_outcome.outcome != "done").then(|| {
        let step = if edited_outcome.step.is_empty() {
            String::new()
        } else {
            format!(", at {}", clean(&edited_outcome.step))
        };
        format!(
            "{}: {}{step}",
            paint(style::BAD, &clean(&edited_outcome.outcome)),
            clean(&edited_outcome.failure)
        )
    });
    let took = (edited_outcome.duration_ns != edited_outcome.recorded_duration_ns).then(|| {
        format!(
            "would have taken {} instead of {}{}",
            show(edited_outcome.duration_ns),
            show(edited_outcome.recorded_duration_ns),
            paint(style::FAINT, "; steps take their recorded time")
        )
    });
    failed.into_iter().chain(took).collect()
}

fn one(finding: &Finding, room: usize) -> String {
    let class = finding.class.as_str();
    let style = if finding.class == FindingClass::InputEdited { style::NOTED } else { style::WARN };
    let source =
        finding.source.as_ref().map_or(String::new(), |source| format!("  {}", clean(&source.to_string())));
    let step = if finding.step.is_empty() { String::new() } else { format!("{}  ", clean(&finding.step)) };
    let head = format!(
        "{}{} {step}{}{}\n",
        paint(style, class),
        fill(class, 16),
        paint(style::STRONG, &clean(&finding.field)),
        paint(style::FAINT, &source),
    );
    format!("{head}{}{}\n", " ".repeat(17), change(&finding.expected, &finding.got, room.saturating_sub(17)))
}

/// Returns `old → new`, truncated to a number of columns.
pub(super) fn change(old: &ReportedValue, new: &ReportedValue, room: usize) -> String {
    let (old, new) = finding_sides(old, new);
    let room = room.saturating_sub(3);
    // Each side gets the columns that the other does not need.
    let left = room - width(&new).min(room / 2);
    let right = room - width(&old).min(left);
    let (old, new) = side_by_side(&old, &new, (left, right), "…");
    format!("{old} → {new}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_sides_of_a_change_never_look_alike() {
        let long = "the same for a long time, and then ".repeat(20);
        let texts = (ReportedValue::text(format!("{long}one")), ReportedValue::text(format!("{long}two")));
        let number = ReportedValue::Value(Value::from_serialize(&1).unwrap());
        let text = ReportedValue::Value(Value::from_serialize("1").unwrap());
        let (none, nested) =
            (Value::from_serialize(&None::<u8>).unwrap(), Value::from_serialize(&Some(None::<u8>)).unwrap());
        let nothing = (ReportedValue::Value(none), ReportedValue::Value(nested));
        for columns in [20, 40, 80, usize::MAX] {
            for (a, b) in [(&texts.0, &texts.1), (&number, &text), (&nothing.0, &nothing.1)] {
                let line = change(a, b, columns);
                let (a, b) = line.split_once(" → ").unwrap();
                assert!(a != b && line.chars().count() <= columns, "{line}");
            }
        }
        insta::assert_snapshot!(change(&texts.0, &texts.1, 40), @"…ime, and then one → …ime, and then two");
        insta::assert_snapshot!(change(&number, &text, 40), @r#"1 → "1""#);
        insta::assert_snapshot!(change(&nothing.0, &nothing.1, 40), @"none → some(none)");
    }

    use anstream::adapter::strip_str;
    use zerver_replay::{AppliedEdit, Coverage, ReplayedResponse, SourceLocation};
    use zerver_trace::Value;

    use super::*;

    #[test]
    fn a_report_lists_edits_ending_findings_and_response() {
        let value = |text: &str| ReportedValue::Value(Value::from_serialize(text).unwrap());
        let report = Report {
            coverage: Coverage {
                decisions_reproduced: 2,
                decisions_recorded: 3,
                effects_replayed: 1,
                ..Coverage::default()
            },
            findings: vec![
                Finding {
                    class: FindingClass::InputEdited,
                    step: "verify".into(),
                    field: "decision".into(),
                    expected: ReportedValue::text("continue"),
                    got: ReportedValue::text("fail\u{1b}"),
                    source: Some(SourceLocation { file: "src/a.rs".into(), line: 7 }),
                },
                Finding {
                    class: FindingClass::CodeChanged,
                    step: String::new(),
                    field: "response.body".into(),
                    expected: value(&"x".repeat(200)),
                    got: ReportedValue::Secret,
                    source: None,
                },
            ],
            applied: vec![AppliedEdit {
                target: "Claims.sub".into(),
                step: "verify".into(),
                from: value("ann"),
                to: value("bob"),
            }],
            notes: vec!["a note".into()],
            response: Some(ReplayedResponse {
                status: 403,
                headers: vec![],
                body: Some("{}".into()),
                body_bytes: 2,
                stream: None,
            }),
            edited_outcome: Some(EditedOutcome {
                outcome: "failed".into(),
                failure: "timeout http".into(),
                failure_kind: "timeout".into(),
                call: Some(0),
                step: "verify\u{7}".into(),
                duration_ns: 255_000_000,
                recorded_duration_ns: 5_400_000,
            }),
            ..Report::default()
        };
        let text = strip_str(&replay(&report, 80, false)).to_string();
        insta::assert_snapshot!(text, @r#"
        different: 2 of 3 decisions reproduced, 1 effect from the recording, 0 live
        edited   Claims.sub  "ann" → "bob"  first seen by verify
        ending   failed: timeout http, at verify\u{7}
                 would have taken 255 ms instead of 5.40 ms; steps take their recorded time
        input_edited     verify  decision  src/a.rs:7
                         continue → fail\u{1b}
        code_changed     response.body
                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… → ●●●● (secret)
        note     a note
        response 403 Forbidden
                 {}
        "#);
    }
}
