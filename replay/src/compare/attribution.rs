//! What a difference comes from, where several runs of today's code tell: the edits, or the step itself.

use std::collections::{BTreeMap, BTreeSet};

use zerver_engine::Flow;

use crate::report::{Finding, FindingClass};
use crate::value::path::MAX_DIFFERENCES;

/// VirtualLimits a part of a place.
const END: char = '\0';

/// Where two runs with the same inputs differ.
#[derive(Default)]
pub(crate) struct UnstablePlaces {
    /// Step and place of each.
    places: BTreeSet<(String, String)>,
}

impl UnstablePlaces {
    /// Of two runs: where each differs from the recording, and where they differ from one another.
    pub(crate) fn new(one: &[Finding], two: &[Finding], apart: &[Finding]) -> Self {
        let mut places: BTreeSet<_> = apart.iter().map(exact).collect();
        places.extend(only_in(one, two).map(exact));
        places.extend(only_in(two, one).map(exact));
        // Where several positions of a list are not the same twice, its order is not, and so none of them.
        let mut lists: BTreeMap<(String, String), u32> = BTreeMap::new();
        for (step, place) in &places {
            if let Some(list) = of_any_position(place) {
                *lists.entry((step.clone(), list)).or_default() += 1;
            }
        }
        places.extend(lists.into_iter().filter(|(_, positions)| *positions > 1).map(|(list, _)| list));
        Self { places }
    }

    /// Whether a difference is at such a place, in it, or around it.
    fn has(&self, finding: &Finding) -> bool {
        let (step, place) = exact(finding);
        self.covers(&step, &place) || of_any_position(&place).is_some_and(|list| self.covers(&step, &list))
    }

    fn covers(&self, step: &str, place: &str) -> bool {
        let key = |place: &str| (step.to_owned(), place.to_owned());
        place.match_indices(END).any(|(at, _)| self.places.contains(&key(&place[..=at])))
            || self
                .places
                .range(key(place)..)
                .next()
                .is_some_and(|(at, within)| at == step && within.starts_with(place))
    }
}

/// What only the first of two lists has, or has otherwise. What is missing where the second was cut says nothing.
fn only_in<'f>(one: &'f [Finding], two: &'f [Finding]) -> impl Iterator<Item = &'f Finding> {
    let known = by_field(two);
    let mut of_value: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for finding in two {
        *of_value.entry((finding.step.as_str(), value(&finding.field))).or_default() += 1;
    }
    one.iter().filter(move |finding| match known.get(&(finding.step.as_str(), finding.field.as_str())) {
        Some(known) => known.iter().all(|known| known.got != finding.got),
        None => {
            let others = of_value.get(&(finding.step.as_str(), value(&finding.field)));
            others.is_none_or(|others| *others < MAX_DIFFERENCES)
        }
    })
}

/// The part of a field that names a whole value.
fn value(field: &str) -> &str {
    if let Some((effect, _)) = field.split_once(" arguments") {
        return effect;
    }
    let from = if field.starts_with("response.") { "response.".len() } else { 0 };
    field[from..].find('.').map_or(field, |at| &field[..from + at])
}

/// The step of a finding, and the parts of its field, each with an end.
fn exact(finding: &Finding) -> (String, String) {
    // The name of an effect has dots of its own.
    let field = finding.field.as_str();
    let (effect, path) = match field.split_once(" arguments") {
        Some((effect, path)) => (effect, path.trim_start_matches('.')),
        None if field.contains(' ') => (field, ""),
        None => ("", field),
    };
    let parts = std::iter::once(effect).chain(path.split('.')).filter(|part| !part.is_empty());
    (finding.step.clone(), parts.flat_map(|part| part.chars().chain([END])).collect())
}

/// The place with all positions in lists taken for one; none if there are none in it.
fn of_any_position(place: &str) -> Option<String> {
    let is_position = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = || place.split(END).filter(|part| !part.is_empty());
    parts().any(is_position).then(|| {
        let part = |part| if is_position(part) { "*" } else { part };
        parts().map(part).flat_map(|part| part.chars().chain([END])).collect()
    })
}

fn by_field(findings: &[Finding]) -> BTreeMap<(&str, &str), Vec<&Finding>> {
    let mut by_field: BTreeMap<_, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        by_field.entry((finding.step.as_str(), finding.field.as_str())).or_default().push(finding);
    }
    by_field
}

/// Runs without the edits: what differs in the first, where each difference comes from, and what differs in the second.
#[derive(Default)]
pub(crate) struct UneditedRuns {
    pub(crate) findings: Vec<Finding>,
    pub(crate) again: Vec<Finding>,
    pub(crate) unsteady: UnstablePlaces,
}

/// Says of the differences of an edited run what they come from. `apart` is where it and a second run with the same edits
/// differ; `unsteady` knows both.
pub(crate) fn blame(
    flow: &Flow,
    findings: Vec<Finding>,
    without: &UneditedRuns,
    unsteady: &UnstablePlaces,
    apart: Vec<Finding>,
) -> Vec<Finding> {
    let (known, again) = (by_field(&without.findings), by_field(&without.again));
    let same = |list: &BTreeMap<_, Vec<&Finding>>, finding: &Finding| {
        let known = list.get(&(finding.step.as_str(), finding.field.as_str()))?;
        known.iter().find(|known| known.got == finding.got).map(|known| known.class)
    };
    let class = |finding: &Finding| {
        // The same as in the second run, at a place where the two differ.
        let is_again = || without.unsteady.has(finding) && same(&again, finding).is_some();
        if unsteady.has(finding) {
            FindingClass::Nondeterminism
        } else if let Some(class) = same(&known, finding) {
            class
        } else if is_again() {
            FindingClass::Nondeterminism
        } else if finding.class.ends_replay() {
            finding.class
        } else {
            FindingClass::InputEdited
        }
    };
    let mut findings: Vec<_> =
        findings.into_iter().map(|finding| Finding { class: class(&finding), ..finding }).collect();
    let had = findings.len();
    add_missing(&mut findings, apart);
    if findings.len() > had {
        findings.sort_by_key(|finding| position(flow, finding));
    }
    findings
}

/// Of two runs with the same inputs, the first difference is the step's own; all from there on may come from it.
pub(crate) fn with_nondeterminism(
    flow: &Flow,
    findings: Vec<Finding>,
    differing: Vec<Finding>,
) -> Vec<Finding> {
    let Some(first) = differing.iter().map(|finding| position(flow, finding)).min() else { return findings };
    let (mut before, after): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| position(flow, finding) < first);
    let mut from_there: Vec<_> = after.into_iter().map(of_the_step).collect();
    add_missing(&mut from_there, differing);
    from_there.sort_by_key(|finding| position(flow, finding));
    before.extend(from_there);
    before
}

/// Adds what differs between two runs, where nothing is there for its place.
fn add_missing(findings: &mut Vec<Finding>, differing: Vec<Finding>) {
    let had: BTreeSet<(String, String)> =
        findings.iter().map(|finding| (finding.step.clone(), finding.field.clone())).collect();
    let is_new = |finding: &Finding| !had.contains(&(finding.step.clone(), finding.field.clone()));
    findings.extend(differing.into_iter().filter(is_new).map(of_the_step));
}

fn of_the_step(finding: Finding) -> Finding {
    Finding { class: FindingClass::Nondeterminism, ..finding }
}

fn position(flow: &Flow, finding: &Finding) -> usize {
    flow.info().steps.iter().position(|step| step.name == finding.step).unwrap_or(usize::MAX)
}
