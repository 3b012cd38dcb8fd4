//! Ranks what took the most time.

use std::collections::BTreeMap;

use zerver_trace::QueueReason;

use crate::generalized_text::generalize;
use crate::timeline::rows::effect::{CompletionDelay, Effect};
use crate::timeline::rows::gap::Gap;
use crate::timeline::rows::timeline::Timeline;
use crate::timeline::totals::{KindTotals, Span, Totals, union};

/// Kind of contributor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContributorKind {
    /// A single effect.
    Effect,
    /// Many effects of one kind.
    Effects,
    /// Effects waiting for a permit.
    Permit,
    /// A step's own work, over all its runs.
    Cpu,
    /// Waiting in the run queue.
    Queue,
    /// Answers that waited because the worker was busy.
    CompletionDelay,
    /// Reading the body.
    Receive,
    /// Time that the trace does not explain.
    Unexplained,
}

impl ContributorKind {
    /// Returns the word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Effect => "effect",
            Self::Effects => "effects",
            Self::Permit => "permit",
            Self::Cpu => "cpu",
            Self::Queue => "queue",
            Self::CompletionDelay => "completion_delay",
            Self::Receive => "receive",
            Self::Unexplained => "unexplained",
        }
    }
}

/// A part of the time with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributor {
    /// Activity that took the time.
    pub kind: ContributorKind,
    /// Label: `kv get todo:456`, `10 calls of kv get todo:*`, `40 sql calls`, `CPU of render_todo`.
    pub label: String,
    /// Time spent, in nanoseconds.
    pub time_ns: u64,
    /// Share of the total, in percent, rounded.
    pub percent: u8,
}

/// The largest contributor, and the usual duration for comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Largest contributor.
    pub largest: Contributor,
    /// Median duration of the flow's requests, in nanoseconds; `None` without other requests.
    pub median_ns: Option<u64>,
}

impl Timeline {
    /// Returns all contributors, the largest first. Effects that overlap are counted each.
    pub fn contributors(&self) -> Vec<Contributor> {
        let totals = &self.totals;
        let mut parts: Vec<(ContributorKind, String, u64)> = vec![
            (ContributorKind::Queue, "waiting in the run queue".to_owned(), totals.queue_ns),
            (
                ContributorKind::CompletionDelay,
                self.longest_completion_delay().map_or_else(String::new, CompletionDelay::label),
                totals.completion_delay_ns,
            ),
            (ContributorKind::Receive, "receiving".to_owned(), totals.receive_ns),
            (ContributorKind::Unexplained, self.unexplained_label().to_owned(), totals.unexplained_ns),
        ];
        let mut cpu: BTreeMap<u16, (&str, u64)> = BTreeMap::new();
        let mut alike: BTreeMap<(&str, String), Calls> = BTreeMap::new();
        let mut kinds: BTreeMap<&str, OfKind> = BTreeMap::new();
        for run in &self.runs {
            let (_, ns) = cpu.entry(run.step.index).or_insert((&run.step.name, 0));
            *ns = ns.saturating_add(run.cpu_ns);
            for effect in &run.effects {
                let end_ns = effect.start_ns.saturating_add(effect.duration_ns).min(totals.total_ns);
                let held_ns = kinds.entry(&effect.kind).or_default().add(effect, end_ns);
                let ns = without_waiting(end_ns.saturating_sub(effect.start_ns), held_ns);
                let label = effect.label();
                alike.entry((&effect.kind, generalize(&label))).or_default().add(&label, ns);
                parts.push((ContributorKind::Effect, label, ns));
            }
        }
        parts
            .extend(cpu.into_values().map(|(name, ns)| (ContributorKind::Cpu, format!("CPU of {name}"), ns)));
        let limits = kinds.iter().map(|(kind, of)| {
            (ContributorKind::Permit, format!("waiting for a {kind} permit"), of.waited_ns())
        });
        parts.extend(limits);
        parts.extend(many_calls(totals, &alike, &kinds));
        let mut contributors: Vec<Contributor> = parts
            .into_iter()
            .filter(|(.., ns)| *ns > 0)
            .map(|(part, label, ns)| {
                let ns = ns.min(totals.total_ns);
                Contributor { kind: part, label, time_ns: ns, percent: percent(ns, totals.total_ns) }
            })
            .collect();
        contributors.sort_by_key(|contributor| std::cmp::Reverse(contributor.time_ns));
        contributors
    }

    /// Returns the name of [`Totals::unexplained_ns`]. A layer sees no more of a handler than its spans.
    pub fn unexplained_label(&self) -> &'static str {
        if self.gaps.contains(&Gap::Layer) { "the handler outside of spans" } else { "unexplained" }
    }

    /// Returns the largest contributor, or `None` if no time passed. `population` holds durations of requests of the
    /// same flow in nanoseconds, in any order, with or without this request.
    pub fn verdict(&self, population: &[u64]) -> Option<Verdict> {
        let largest = self.contributors().into_iter().next()?;
        let median_ns = (population.len() > 1).then(|| median(population)).flatten();
        Some(Verdict { largest, median_ns })
    }
}

/// Times of the effects of one kind, with and without waiting for a permit.
#[derive(Default)]
struct OfKind {
    all: Vec<Span>,
    begun: Vec<Span>,
}

impl OfKind {
    /// Adds an effect, and returns how long it waited for permits.
    fn add(&mut self, effect: &Effect, end_ns: u64) -> u64 {
        let mut all_held_ns = 0_u64;
        for attempt in &effect.attempts {
            let is_limit = matches!(
                attempt.queue_reason,
                Some(QueueReason::Target | QueueReason::Kind | QueueReason::Rate)
            );
            let held_ns = if is_limit { attempt.queued_ns } else { 0 };
            let until_ns = attempt.start_ns.saturating_add(attempt.duration_ns).min(end_ns);
            let begun_ns = attempt.start_ns.saturating_add(held_ns).min(until_ns);
            self.all.push((attempt.start_ns.min(until_ns), until_ns));
            self.begun.push((begun_ns, until_ns));
            all_held_ns = all_held_ns.saturating_add(begun_ns.saturating_sub(attempt.start_ns));
        }
        all_held_ns
    }

    /// Returns the time in which effects waited for permits and none was in flight.
    fn waited_ns(&self) -> u64 {
        union(self.all.clone()).saturating_sub(union(self.begun.clone()))
    }
}

/// Subtracts waiting time if it is most of the time.
const fn without_waiting(ns: u64, waited_ns: u64) -> u64 {
    if waited_ns > ns / 2 { ns.saturating_sub(waited_ns) } else { ns }
}

/// Calls of one kind that differ only in numbers and ids.
#[derive(Default)]
struct Calls {
    /// Label of the first call, and whether all calls have it.
    label: String,
    is_one_label: bool,
    count: u64,
    ns: u64,
    longest_ns: u64,
}

impl Calls {
    fn add(&mut self, label: &str, ns: u64) {
        if self.count == 0 {
            (self.label, self.is_one_label) = (label.to_owned(), true);
        }
        self.is_one_label &= self.label == label;
        self.count += 1;
        self.ns = self.ns.saturating_add(ns);
        self.longest_ns = self.longest_ns.max(ns);
    }

    /// Returns true if the calls together are a finding: many small calls, of which none took most of the time.
    const fn is_a_finding(&self) -> bool {
        self.count > 1 && self.ns / 2 >= self.longest_ns
    }
}

/// Returns groups of similar calls. If no group has most of the time of its kind, adds all calls of the kind.
fn many_calls(
    totals: &Totals,
    alike: &BTreeMap<(&str, String), Calls>,
    kinds: &BTreeMap<&str, OfKind>,
) -> Vec<(ContributorKind, String, u64)> {
    let mut parts = Vec::new();
    for (kind, io) in &totals.io {
        let waited_ns = kinds.get(kind.as_str()).map_or(0, OfKind::waited_ns);
        let io = KindTotals { time_ns: without_waiting(io.time_ns, waited_ns), ..*io };
        let groups = || alike.iter().filter(|((of, _), _)| *of == kind.as_str());
        for ((_, general), calls) in groups().filter(|(_, calls)| calls.is_a_finding()) {
            let name = if calls.is_one_label { &calls.label } else { general };
            parts.push((ContributorKind::Effects, format!("{} calls of {name}", calls.count), calls.ns));
        }
        let longest_ns = groups().map(|(_, calls)| calls.longest_ns).max().unwrap_or(0);
        let has_main_group =
            groups().any(|(_, calls)| calls.is_a_finding() && calls.ns >= io.time_ns / 3 * 2);
        if io.calls > 1 && io.time_ns / 2 >= longest_ns && !has_main_group {
            parts.push((ContributorKind::Effects, format!("{} {kind} calls", io.calls), io.time_ns));
        }
    }
    parts
}

/// Returns the median: the middle value, or the lower of the two in the middle.
pub fn median(durations: &[u64]) -> Option<u64> {
    let mut sorted = durations.to_vec();
    let middle = sorted.len().checked_sub(1)? / 2;
    Some(*sorted.select_nth_unstable(middle).1)
}

fn percent(part: u64, whole: u64) -> u8 {
    let whole = u128::from(whole.max(1));
    ((u128::from(part) * 100 + whole / 2) / whole).min(100) as u8
}
