//! Attributes differences to the edits or to nondeterminism, by comparing several runs of today's code.

use std::collections::{BTreeMap, BTreeSet};

use zerver_engine::Flow;

use crate::report::{Finding, FindingClass};
use crate::value::path::MAX_DIFFERENCES;

/// Terminates each part of a place.
const END: char = '\0';

/// Places where two runs with the same inputs differ.
#[derive(Default)]
pub(crate) struct UnstablePlaces {
    /// Step and place.
    places: BTreeSet<(String, String)>,
}

impl UnstablePlaces {
    /// Collects the places from the findings of two runs, and from the differences between the runs.
    pub(crate) fn new(one: &[Finding], two: &[Finding], differing: &[Finding]) -> Self {
        let mut places: BTreeSet<_> = differing.iter().map(exact).collect();
        places.extend(only_in(one, two).map(exact));
        places.extend(only_in(two, one).map(exact));
        // If several positions of a list are unstable, its order is, and so all its positions are.
        let mut lists: BTreeMap<(String, String), u32> = BTreeMap::new();
        for (step, place) in &places {
            if let Some(list) = of_any_position(place) {
                *lists.entry((step.clone(), list)).or_default() += 1;
            }
        }
        places.extend(lists.into_iter().filter(|(_, positions)| *positions > 1).map(|(list, _)| list));
        Self { places }
    }

    /// Returns true if a finding is at, within or around an unstable place.
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

/// Returns findings that only the first list has, or has with another value. A missing finding means nothing if the
/// second list was cut there.
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

/// Returns the part of a field that names a whole value.
fn value(field: &str) -> &str {
    if let Some((effect, _)) = field.split_once(" arguments") {
        return effect;
    }
    let from = if field.starts_with("response.") { "response.".len() } else { 0 };
    field[from..].find('.').map_or(field, |at| &field[..from + at])
}

/// Returns the step of a finding, and its field with terminated parts.
fn exact(finding: &Finding) -> (String, String) {
    // Names of effects contain dots.
    let field = finding.field.as_str();
    let (effect, path) = match field.split_once(" arguments") {
        Some((effect, path)) => (effect, path.trim_start_matches('.')),
        None if field.contains(' ') => (field, ""),
        None => ("", field),
    };
    let parts = std::iter::once(effect).chain(path.split('.')).filter(|part| !part.is_empty());
    (finding.step.clone(), parts.flat_map(|part| part.chars().chain([END])).collect())
}

/// Replaces all list positions in a place by a wildcard. Returns `None` if it has none.
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

/// Findings of the two runs without edits, and the places where these runs differ.
#[derive(Default)]
pub(crate) struct UneditedRuns {
    pub(crate) findings: Vec<Finding>,
    pub(crate) again: Vec<Finding>,
    pub(crate) unstable: UnstablePlaces,
}

/// Assigns a class to each finding of a run with edits. `differing` are the differences between that run and a second one
/// with the same edits; `unstable` covers both.
pub(crate) fn attribute(
    flow: &Flow,
    findings: Vec<Finding>,
    without: &UneditedRuns,
    unstable: &UnstablePlaces,
    differing: Vec<Finding>,
) -> Vec<Finding> {
    let (known, again) = (by_field(&without.findings), by_field(&without.again));
    let same = |list: &BTreeMap<_, Vec<&Finding>>, finding: &Finding| {
        let known = list.get(&(finding.step.as_str(), finding.field.as_str()))?;
        known.iter().find(|known| known.got == finding.got).map(|known| known.class)
    };
    let class = |finding: &Finding| {
        // The finding equals that of the second run at a place where the runs differ.
        let is_again = || without.unstable.has(finding) && same(&again, finding).is_some();
        if unstable.has(finding) {
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
    add_missing(&mut findings, differing);
    if findings.len() > had {
        findings.sort_by_key(|finding| position(flow, finding));
    }
    findings
}

/// Classifies findings with the differences between two runs with the same inputs: everything from the first such
/// difference on may be nondeterminism.
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

/// Adds the differences between two runs at places that have no finding yet.
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
