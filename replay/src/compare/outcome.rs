//! Compares the outcome of today's run with the recorded one.

use std::collections::BTreeMap;

use zerver_trace::{FlowInfo, Outcome, Redaction, TextPlace};

use crate::compare::comparison::Comparison;
use crate::observed::Observed;
use crate::report::{Finding, FindingClass, ReportedValue, SourceLocation};
use crate::value::masked_text;

impl Comparison<'_> {
    /// Notes the errors of effects that the recorder cut or masked: they were answers as well.
    pub(crate) fn errors(&mut self, recorded: &Observed<'_>) {
        let Some(redaction) = recorded.redaction.filter(|redaction| !redaction.texts.is_empty()) else {
            return;
        };
        for call in recorded.calls() {
            if let Some(mark) = redaction.text(TextPlace::EffectError(call.number)) {
                self.skip(format!("the error of {}: {}", call.label(), lacks(mark.is_cut)));
            }
        }
    }

    pub(crate) fn outcome(&mut self, recorded: &Observed<'_>, now: &Observed<'_>) {
        let panicked_at = now.panicked_at.as_ref();
        let (Some(then), Some(now)) = (&recorded.outcome, &now.outcome) else { return };
        let (a, b) = (outcome_fields(then, self.then), outcome_fields(now, self.today));
        let step = step_of(now).and_then(|step| self.today.steps.get(usize::from(step)));
        let (step, source) = match step {
            Some(step) => {
                (step.name.clone(), Some(SourceLocation { file: step.file.clone(), line: step.line }))
            }
            None => (String::new(), None),
        };
        let panicked_at =
            panicked_at.map(|(file, line)| SourceLocation { file: file.to_string(), line: *line });
        let source = panicked_at.or(source);
        for (field, b) in &b {
            let Some(a) = a.get(field) else { continue };
            let (is_cut, is_masked) = recorded.redaction.map_or((false, false), |of| redacted(field, of));
            let may_be_equal = match (is_cut, is_masked) {
                (false, false) => {
                    if a == b {
                        continue;
                    }
                    false
                }
                (false, true) => masked_text::may_hide(a, b),
                // Any of several causes may have been cut.
                (true, false) => *field == "failure.causes" || b.starts_with(a.trim_end_matches('…')),
                (true, true) => true,
            };
            if may_be_equal {
                self.skip(format!("{field}: {}", lacks(is_cut)));
                continue;
            }
            let (expected, got) =
                (ReportedValue::text(self.mask.text(a)), ReportedValue::text(self.mask.text(b)));
            self.findings.push(Finding {
                class: FindingClass::CodeChanged,
                step: step.clone(),
                field: (*field).to_owned(),
                expected,
                got,
                source: source.clone(),
            });
        }
    }
}

/// Returns whether the recorder cut a field of an outcome, and whether it masked it.
fn redacted(field: &str, redaction: &Redaction) -> (bool, bool) {
    let is_of = |place: TextPlace| match field {
        "outcome" => place == TextPlace::What,
        "failure.key" => place == TextPlace::Key,
        "failure.message" => place == TextPlace::Message,
        "failure.causes" => matches!(place, TextPlace::Cause(_) | TextPlace::Causes),
        _ => false,
    };
    let marks = || redaction.texts.iter().filter(|text| is_of(text.place));
    (marks().any(|mark| mark.is_cut), marks().any(|mark| mark.is_masked))
}

/// Returns the reason why a text cannot be compared.
pub(crate) const fn lacks(is_cut: bool) -> &'static str {
    if is_cut { "cut while recording" } else { "it contains a secret" }
}

const fn step_of(outcome: &Outcome) -> Option<u16> {
    match outcome {
        Outcome::Failed(info) => info.step,
        Outcome::Panicked { step, .. } | Outcome::TimedOut { step } | Outcome::ClientLeft { step } => {
            Some(*step)
        }
        Outcome::Done | Outcome::Rejected { .. } => None,
    }
}

/// Returns the fields of an outcome in words.
pub(crate) fn outcome_fields(outcome: &Outcome, flow: &FlowInfo) -> BTreeMap<&'static str, String> {
    let mut told = BTreeMap::new();
    let step = step_of(outcome).map(|at| match flow.steps.get(usize::from(at)) {
        Some(step) => step.name.clone(),
        None => format!("step#{at}"),
    });
    if let Some(step) = step {
        told.insert("failure.step", step);
    }
    match outcome {
        Outcome::Failed(info) => {
            told.insert("outcome", format!("failed: {} {}", info.kind, info.what));
            told.insert("failure.key", info.key.clone());
            told.insert("failure.message", info.message.clone());
            told.insert("failure.causes", info.causes.join("; "));
        }
        Outcome::Panicked { message, .. } => {
            told.insert("outcome", "panicked".to_owned());
            told.insert("failure.message", message.clone());
        }
        other => {
            told.insert("outcome", other.as_str().to_owned());
        }
    }
    told
}
