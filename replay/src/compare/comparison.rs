//! Compares a run of today's code with the recording: decisions, slots, effects, outcome, response.

use std::collections::{BTreeMap, BTreeSet};

use zerver_trace::{FlowInfo, Recorded, nearest_name};

use crate::compare::run_pairing::{align, has_step};
use crate::mask::Mask;
use crate::observed::{Observed, ObservedRun, ObservedWrite};
use crate::recording::Secrets;
use crate::report::{Finding, FindingClass, Report, ReportedValue, SourceLocation};
use crate::run::run_result::{RunResult, Unanswered};
use crate::value::path::{differences, joined};

/// A comparison in progress. Collects findings and what could not be compared.
pub(crate) struct Comparison<'c> {
    pub(crate) secrets: &'c Secrets,
    pub(crate) mask: &'c Mask,
    pub(crate) today: &'c FlowInfo,
    pub(crate) then: &'c FlowInfo,
    pub(crate) findings: Vec<Finding>,
    /// Today's calls that were performed for real.
    pub(crate) live: BTreeSet<u32>,
    /// Today's reworded calls, and the recorded calls that they correspond to.
    pub(crate) reworded: BTreeMap<u32, u32>,
    skipped: BTreeSet<String>,
    /// Counts of differences beyond those listed.
    more: Vec<String>,
}

/// Remarks to report besides the findings.
#[derive(Default)]
pub(crate) struct Remarks {
    /// Values that could not be compared, with reasons.
    not_compared: Vec<String>,
    /// Counts of differences that are not listed.
    more: Vec<String>,
}

impl Remarks {
    pub(crate) fn add_to(self, mut report: Report) -> Report {
        report.not_compared = self.not_compared;
        report.notes.extend(self.more);
        report
    }
}

impl<'c> Comparison<'c> {
    pub(crate) fn new(then: &'c FlowInfo, today: &'c FlowInfo, secrets: &'c Secrets, mask: &'c Mask) -> Self {
        Self {
            secrets,
            mask,
            today,
            then,
            findings: Vec::new(),
            live: BTreeSet::new(),
            reworded: BTreeMap::new(),
            skipped: BTreeSet::new(),
            more: Vec::new(),
        }
    }

    /// Returns the number of recorded decisions that were reproduced.
    pub(crate) fn reproduced(today: &FlowInfo, recorded: &Observed<'_>, now: &Observed<'_>) -> u32 {
        let pairs = align(today, &recorded.runs, &now.runs);
        let same = pairs.iter().filter(|pair| match pair {
            (Some(a), Some((_, b))) => a.name == b.name && a.decision == b.decision,
            _ => false,
        });
        same.count() as u32
    }

    /// Takes the remarks.
    pub(crate) fn take_remarks(&mut self) -> Remarks {
        let masked = |what: String| self.mask.text(&what);
        Remarks {
            not_compared: std::mem::take(&mut self.skipped).into_iter().map(masked).collect(),
            more: std::mem::take(&mut self.more).into_iter().map(masked).collect(),
        }
    }

    pub(crate) fn skip(&mut self, what: String) {
        self.skipped.insert(what);
    }

    /// Returns all findings, in the order of the flow.
    pub(crate) fn findings(
        &mut self,
        recorded: &Observed<'_>,
        run: &RunResult,
        now: &Observed<'_>,
    ) -> Vec<Finding> {
        self.live.clone_from(&run.live);
        self.reworded.clone_from(&run.reworded);
        self.compare(recorded, now, run.unanswered.as_ref())
    }

    /// Compares two runs. `unanswered` is set if the second ended for lack of an answer.
    pub(crate) fn compare(
        &mut self,
        recorded: &Observed<'_>,
        now: &Observed<'_>,
        unanswered: Option<&Unanswered>,
    ) -> Vec<Finding> {
        let links = self.links(recorded, now);
        let stopped = unanswered.map(|unanswered| unanswered.run);
        let (mut not_run, mut newly_run) = (Vec::new(), Vec::new());
        let mut apart = Vec::new();
        for (then, now) in align(self.today, &recorded.runs, &now.runs) {
            match (then, now) {
                (Some(a), Some((_, b))) => self.run(a, b),
                (Some(a), None) if !has_step(self.today, &a.name) => self.add_removed_step(a),
                (Some(a), None) => not_run.push(a),
                (None, Some((_, b))) if !has_step(self.then, &b.name) => {
                    self.add_finding(
                        Some(b),
                        FindingClass::CodeChanged,
                        "step",
                        ReportedValue::Absent,
                        ReportedValue::text(&*b.name),
                    );
                }
                (None, Some((_, b))) => newly_run.push(b),
                (None, None) => {}
            }
            let is_stopped = stopped.is_some() && now.is_none_or(|(at, _)| stopped == Some(at));
            if let (Some(a), Some((at, b))) = (then, now) {
                self.effects(then, Some(b), &links, is_stopped);
                // Writes follow from the effects.
                if stopped != Some(at) {
                    self.writes(a, b);
                }
            } else {
                apart.push((then, now.map(|(_, b)| b), is_stopped));
            }
        }
        if stopped.is_none() {
            self.add_unpaired_steps(&not_run, true);
            self.add_unpaired_steps(&newly_run, false);
        }
        for (then, now, is_stopped) in apart {
            self.effects(then, now, &links, is_stopped);
        }
        if let Some(unanswered) = unanswered {
            let step = now.runs.get(unanswered.run);
            let label = self.mask.text(&unanswered.label);
            let class = match unanswered.reason.is_unrecorded {
                true => FindingClass::Unrecorded,
                false => FindingClass::Unanswered,
            };
            let why = ReportedValue::text(self.mask.text(&unanswered.reason.why));
            self.add_finding(step, class, &label, ReportedValue::text("an answer"), why);
            return std::mem::take(&mut self.findings);
        }
        self.errors(recorded);
        self.outcome(recorded, now);
        if !recorded.lacks_response() {
            self.response(recorded.response.as_ref(), now.response.as_ref());
        }
        std::mem::take(&mut self.findings)
    }

    pub(crate) fn add_finding(
        &mut self,
        run: Option<&ObservedRun<'_>>,
        class: FindingClass,
        field: &str,
        expected: ReportedValue,
        got: ReportedValue,
    ) {
        let step = run.map_or_else(String::new, |run| run.name.to_string());
        // Today's location; for a removed step, the recorded one.
        let today = self.today.steps.iter().find(|info| info.name == step);
        let info = today.or_else(|| run.and_then(|run| run.info));
        let source = info.map(|info| SourceLocation { file: info.file.clone(), line: info.line });
        self.findings.push(Finding { class, step, field: field.to_owned(), expected, got, source });
    }

    fn add_removed_step(&mut self, run: &ObservedRun<'_>) {
        let names = self.today.steps.iter().map(|step| step.name.as_str());
        let got = match nearest_name(&run.name, names) {
            Some(name) => format!("no such step; the nearest is {name}"),
            None => "no such step".to_owned(),
        };
        self.add_finding(
            Some(run),
            FindingClass::CodeChanged,
            "step",
            ReportedValue::text(&*run.name),
            ReportedValue::text(got),
        );
    }

    /// Adds a finding for steps that only one side ran.
    fn add_unpaired_steps(&mut self, runs: &[&ObservedRun<'_>], then: bool) {
        let Some(first) = runs.first() else { return };
        let names: Vec<_> = runs.iter().map(|run| &*run.name).collect();
        let (names, none) = (ReportedValue::text(names.join(", ")), ReportedValue::text("not run"));
        let (expected, got) = if then { (names, none) } else { (none, names) };
        self.add_finding(Some(first), FindingClass::CodeChanged, "steps", expected, got);
    }

    fn run(&mut self, a: &ObservedRun<'_>, b: &ObservedRun<'_>) {
        let class = FindingClass::CodeChanged;
        if a.name != b.name {
            self.add_finding(
                Some(b),
                class,
                "step",
                ReportedValue::text(&*a.name),
                ReportedValue::text(&*b.name),
            );
        }
        if a.decision != b.decision {
            let (expected, got) = (a.decision.as_str(), b.decision.as_str());
            self.add_finding(
                Some(b),
                class,
                "decision",
                ReportedValue::text(expected),
                ReportedValue::text(got),
            );
        }
        match (&a.progress, &b.progress) {
            (Some(then), Some(now)) => self.value(b, class, "progress", then, now, false),
            (None, None) => {}
            // The decision differs as well and has a finding.
            _ => {}
        }
    }

    fn writes(&mut self, a: &ObservedRun<'_>, b: &ObservedRun<'_>) {
        let same = |x: &ObservedWrite<'_>, y: &ObservedWrite<'_>| x.path == y.path || x.name == y.name;
        let mut new: Vec<&ObservedWrite<'_>> =
            b.writes.iter().filter(|y| !a.writes.iter().any(|x| same(x, y))).collect();
        for x in &a.writes {
            if let Some(y) = b.writes.iter().find(|y| same(x, y)) {
                self.value(b, FindingClass::CodeChanged, &x.name, &x.value, &y.value, x.secret || y.secret);
                continue;
            }
            let is_there = self.today.slots.iter().any(|slot| slot.name == x.name || slot.path == x.path);
            let got = if is_there {
                ReportedValue::text("not written")
            } else if new.is_empty() {
                let names = self.today.slots.iter().map(|slot| slot.name.as_str());
                let near = nearest_name(&x.name, names)
                    .map_or(String::new(), |name| format!("; the nearest is {name}"));
                ReportedValue::text(format!("no such slot{near}"))
            } else {
                ReportedValue::text(format!("no such slot; it writes {} instead", new.remove(0).name))
            };
            let expected = self.side(&x.value, x.secret);
            self.add_finding(Some(b), FindingClass::CodeChanged, &x.name, expected, got);
        }
        for y in new {
            let got = self.side(&y.value, y.secret);
            self.add_finding(
                Some(b),
                FindingClass::CodeChanged,
                &y.name,
                ReportedValue::text("not written"),
                got,
            );
        }
    }

    /// Returns a recorded value with secrets masked.
    fn side(&self, recorded: &Recorded, secret: bool) -> ReportedValue {
        match self.secrets.plain(recorded) {
            _ if secret => ReportedValue::Secret,
            Ok(value) => self.mask.value(value),
            Err(reason) => ReportedValue::text(reason.to_string()),
        }
    }

    /// Compares two values, with a finding for each place where they differ.
    pub(crate) fn value(
        &mut self,
        run: &ObservedRun<'_>,
        class: FindingClass,
        field: &str,
        then: &Recorded,
        now: &Recorded,
        secret: bool,
    ) {
        let (a, b) = match (self.secrets.plain(then), self.secrets.plain(now)) {
            (Ok(a), Ok(b)) => (a, b),
            (Err(reason), _) => return self.skip(format!("{field}: {reason}")),
            (Ok(_), Err(reason)) => {
                let expected = self.side(then, secret);
                return self.add_finding(
                    Some(run),
                    class,
                    field,
                    expected,
                    ReportedValue::text(reason.to_string()),
                );
            }
        };
        let secrets = self.mask;
        let found = differences(a, b);
        for difference in found.list {
            let side = |node: Option<zerver_trace::Node<'_>>| match node {
                None => ReportedValue::Absent,
                Some(_) if secret => ReportedValue::Secret,
                Some(node) => secrets.side(&node, &difference.path),
            };
            let (mut expected, mut got) = (side(difference.expected.clone()), side(difference.got.clone()));
            if expected == got {
                // Only masked parts differ.
                (expected, got) = (ReportedValue::Secret, ReportedValue::Secret);
            }
            let place = joined(field, &difference.path);
            let place = secrets.text(&place);
            self.add_finding(Some(run), class, &place, expected, got);
        }
        self.count_unlisted(field, found.more);
    }

    /// Counts places that differ beyond those listed.
    pub(crate) fn count_unlisted(&mut self, field: &str, more: usize) {
        if more > 0 {
            let places = if more == 1 { "place differs" } else { "places differ" };
            self.more.push(format!("{more} more {places} in {field}"));
        }
    }
}
