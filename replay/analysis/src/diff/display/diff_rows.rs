//! Rows of a diff for display: one for each run and each effect. All text is safe for a terminal.

use std::collections::BTreeMap;

use zerver_trace::text::clean;

use crate::diff::comparison::Diff;
use crate::diff::difference::{Difference, DifferenceKind};
use crate::diff::display::wording::duration_pair;
use crate::diff::pairing::RunPair;
use crate::{Effect, StepRun};

/// A step run or an effect on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffRow {
    /// Start and duration in the first request, in nanoseconds; `None` if it is not there.
    pub a: Option<(u64, u64)>,
    /// Start and duration in the second request, in nanoseconds; `None` if it is not there.
    pub b: Option<(u64, u64)>,
    /// Result of comparing the sides.
    pub status: RowStatus,
    /// Index of the step in the flow.
    pub step: u16,
    /// True for an effect of the run above it.
    pub is_effect: bool,
    /// Name of the step, or kind and summary of the effect.
    pub name: String,
    /// Differences in a few words; may be empty.
    pub summary: String,
}

/// Result of comparing the sides of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowStatus {
    /// Only the first request has it.
    OnlyA,
    /// Only the second request has it.
    OnlyB,
    /// Something other than time differs.
    Differs,
    /// Nothing but time may differ.
    Same,
}

impl DiffRow {
    /// Returns the duration in the first request, in nanoseconds.
    pub fn a_ns(&self) -> Option<u64> {
        self.a.map(|(_, ns)| ns)
    }

    /// Returns the duration in the second request, in nanoseconds.
    pub fn b_ns(&self) -> Option<u64> {
        self.b.map(|(_, ns)| ns)
    }

    /// Returns how much longer the second request took, in nanoseconds.
    pub fn delta_ns(&self) -> i128 {
        i128::from(self.b_ns().unwrap_or(0)) - i128::from(self.a_ns().unwrap_or(0))
    }
}

impl Diff {
    /// Returns a row for each run and each effect, in order.
    pub fn display_rows(&self) -> Vec<DiffRow> {
        let mut lines = Vec::new();
        let mut differences: BTreeMap<_, Vec<&Difference>> = BTreeMap::new();
        for difference in &self.differences {
            if let Some(place) = difference.row {
                differences.entry(place).or_default().push(difference);
            }
        }
        for (at, row) in self.run_pairs.iter().enumerate() {
            let mut of = |place: (usize, Option<usize>)| differences.remove(&place).unwrap_or_default();
            let of_run = of((at, None));
            lines.push(run(self, row, &of_run));
            for (place, pair) in row.effects.iter().enumerate() {
                let a = row.run.a.zip(pair.a).map(|(run, at)| &self.a.timeline.runs[run].effects[at]);
                let b = row.run.b.zip(pair.b).map(|(run, at)| &self.b.timeline.runs[run].effects[at]);
                let Some(any) = b.or(a) else { continue };
                let of_effect = of((at, Some(place)));
                let stretch = |effect: &Effect| (effect.start_ns, effect.duration_ns);
                lines.push(DiffRow {
                    a: a.map(stretch),
                    b: b.map(stretch),
                    status: mark(a.is_some(), b.is_some(), &of_effect),
                    step: lines.last().map_or(0, |line: &DiffRow| line.step),
                    is_effect: true,
                    name: clean(&any.label()).into_owned(),
                    summary: said(&of_effect),
                });
            }
        }
        lines
    }
}

fn run(diff: &Diff, row: &RunPair, differences: &[&Difference]) -> DiffRow {
    let a = row.run.a.map(|at| &diff.a.timeline.runs[at]);
    let b = row.run.b.map(|at| &diff.b.timeline.runs[at]);
    let queue = |run: Option<&StepRun>| run.map_or(0, |run| run.queue_ns);
    let mut said = said(differences);
    if differences.iter().any(|difference| difference.kind == DifferenceKind::Queue) {
        let (from, to) = duration_pair(queue(a), queue(b));
        let queue = format!("queue {from} -> {to}");
        said = if said.is_empty() { queue } else { format!("{queue}, {said}") };
    }
    let stretch = |run: &StepRun| (run.start_ns, run.cpu_ns);
    DiffRow {
        a: a.map(stretch),
        b: b.map(stretch),
        status: mark(a.is_some(), b.is_some(), differences),
        step: b.or(a).map_or(0, |run| run.step.index),
        is_effect: false,
        name: b.or(a).map(|run| clean(&run.step.name).into_owned()).unwrap_or_default(),
        summary: said,
    }
}

fn mark(in_a: bool, in_b: bool, differences: &[&Difference]) -> RowStatus {
    match (in_a, in_b) {
        (true, false) => RowStatus::OnlyA,
        (false, true) => RowStatus::OnlyB,
        _ if differences.iter().any(|difference| !difference.kind.is_time()) => RowStatus::Differs,
        _ => RowStatus::Same,
    }
}

/// Returns the differences of a row in a few words.
fn said(differences: &[&Difference]) -> String {
    let mut words: Vec<String> = Vec::new();
    for difference in differences.iter().filter(|difference| !difference.kind.is_time()) {
        let word = match difference.kind {
            DifferenceKind::Step | DifferenceKind::Effect => continue,
            DifferenceKind::Slot => clean(&difference.path).into_owned(),
            DifferenceKind::Decision => difference.change(),
            what => what.label().trim_start_matches("effect ").to_owned(),
        };
        if !words.contains(&word) && words.len() < 8 {
            words.push(word);
        }
    }
    words.join(", ")
}
