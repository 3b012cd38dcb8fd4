//! What a difference comes from, where two runs of today's code tell: the edits, or the step itself.

use zerver_engine::Flow;

use super::report::{Finding, FindingClass};

/// Says that a difference comes from the edits, unless it is there without them.
pub(super) fn blame(mut finding: Finding, without: &[Finding]) -> Finding {
    let known = without.iter().find(|known| {
        (&known.step, &known.field, &known.got) == (&finding.step, &finding.field, &finding.got)
    });
    match known {
        Some(known) => finding.class = known.class,
        None if finding.class == FindingClass::Unanswered => {}
        None => finding.class = FindingClass::InputEdited,
    }
    finding
}

/// Of two runs with the same inputs, the first difference is the step's own; all from there on may come from it.
pub(super) fn with_nondeterminism(
    flow: &Flow,
    findings: Vec<Finding>,
    differing: Vec<Finding>,
) -> Vec<Finding> {
    let position = |finding: &Finding| {
        flow.info().steps.iter().position(|step| step.name == finding.step).unwrap_or(usize::MAX)
    };
    let Some(first) = differing.iter().map(position).min() else { return findings };
    let (mut before, after): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| position(finding) < first);
    let blame = |finding: Finding| Finding { class: FindingClass::Nondeterminism, ..finding };
    let has = |list: &[Finding], finding: &Finding| {
        list.iter().any(|known| (&known.step, &known.field) == (&finding.step, &finding.field))
    };
    let mut from_there: Vec<_> = after.into_iter().map(blame).collect();
    for finding in differing {
        if !has(&from_there, &finding) {
            from_there.push(blame(finding));
        }
    }
    from_there.sort_by_key(position);
    before.extend(from_there);
    before
}
