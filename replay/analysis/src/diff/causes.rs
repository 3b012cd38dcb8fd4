//! Splits the difference in time into causes. They add up exactly, because the shares of each request do.

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::pairing::{Pair, RunPair};
use crate::time_attribution::{RunShare, TimeShares};
use crate::{Effect, PolicyWait, StepRun, Timeline};

/// Maximum number of targets listed for one kind of effect in one step. Beyond it, only large ones are listed.
const MAX_TARGETS: usize = 4;

/// Kind of cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CauseKind {
    /// Reading the body.
    Receive,
    /// A step waited in the run queue, or an effect for a permit or the rate limit of its target.
    Queue,
    /// A step ran.
    Cpu,
    /// The request waited for an effect, or for several effects of one target.
    Effect,
    /// Answers waited because the worker was busy.
    CompletionDelay,
    /// Attempts that were followed by another one, and the pauses between them.
    Retry,
    /// A step that only the second request ran, or effects that only it requested.
    Extra,
    /// A step that only the first request ran, or effects that only it requested.
    Missing,
    /// Time that the traces do not explain.
    Unexplained,
}

impl CauseKind {
    /// Returns the word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Queue => "queue",
            Self::Cpu => "cpu",
            Self::Effect => "effect",
            Self::CompletionDelay => "completion_delay",
            Self::Retry => "retry",
            Self::Extra => "extra",
            Self::Missing => "missing",
            Self::Unexplained => "unexplained",
        }
    }

    /// Returns the name shown to the user.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::CompletionDelay => "late answer",
            _ => self.as_str(),
        }
    }
}

/// A part of the difference in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Name of the step; `None` if the part belongs to no step.
    pub step: Option<String>,
    /// Kind of cause.
    pub kind: CauseKind,
    /// Label: `http GET idp.example.com/verify`, `CPU of render_todo`, `20 more sql calls`.
    pub label: String,
    /// Time in the first request, in nanoseconds.
    pub a_ns: u64,
    /// Time in the second request, in nanoseconds.
    pub b_ns: u64,
}

impl Cause {
    /// Returns how much longer the second request took, in nanoseconds.
    pub fn delta_ns(&self) -> i128 {
        i128::from(self.b_ns) - i128::from(self.a_ns)
    }
}

/// Key of a part: the step, the kind of cause and, for effects, their kind and their summaries on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'t> {
    step: Option<&'t str>,
    sort: CauseKind,
    effect: &'t str,
    targets: Option<(&'t str, &'t str)>,
}

#[derive(Debug, Clone, Default)]
struct Sum {
    a_ns: u64,
    b_ns: u64,
    count: u64,
    /// By how much the second request took longer in each phase of the effects, if they reported points.
    phases: BTreeMap<String, i128>,
    /// By how much the second request waited longer because of each policy, with the label of the wait.
    policy_waits: BTreeMap<String, i128>,
    /// Ends of calls that a policy caused in one of the requests only, in words.
    policy_ends: BTreeSet<String>,
}

impl Sum {
    fn delta_ns(&self) -> i128 {
        i128::from(self.b_ns) - i128::from(self.a_ns)
    }

    /// Returns the one of these parts that makes up more than half of the difference, in words.
    fn main<'s>(&self, parts: &'s BTreeMap<String, i128>) -> Option<&'s str> {
        let delta_ns = self.delta_ns();
        let share = |(_, ns): &(&String, &i128)| **ns * delta_ns.signum();
        let (part, ns) = parts.iter().max_by_key(share)?;
        (ns * delta_ns.signum() * 2 > delta_ns.abs()).then_some(part)
    }

    fn add_waits(&mut self, effect: &Effect, waits: impl IntoIterator<Item = (PolicyWait, u64)>, sign: i128) {
        for (wait, ns) in waits {
            let label = wait.label(&effect.kind, &effect.summary);
            *self.policy_waits.entry(label).or_default() += sign * i128::from(ns);
        }
    }
}

/// Returns the causes, the largest first. They add up to the difference between the two durations.
pub(crate) fn causes(
    a: (&Timeline, &TimeShares),
    b: (&Timeline, &TimeShares),
    rows: &[RunPair],
) -> Vec<Cause> {
    let mut ledger = Ledger::default();
    let whole = |sort| Key { step: None, sort, effect: "", targets: None };
    ledger.add(whole(CauseKind::Receive), a.1.receive_ns, b.1.receive_ns);
    ledger.add(whole(CauseKind::Queue), a.1.queue_ns, b.1.queue_ns);
    ledger.add(whole(CauseKind::Unexplained), a.1.unexplained_ns, b.1.unexplained_ns);
    for row in rows {
        let of = |(timeline, shares): (_, _), at: Option<usize>| side(timeline, shares, at);
        ledger.row(of(a, row.run.a), of(b, row.run.b), &row.effects);
    }
    let mut causes = ledger.causes();
    for cause in causes.iter_mut().filter(|cause| cause.kind == CauseKind::CompletionDelay) {
        let timeline = if cause.b_ns > cause.a_ns { b.0 } else { a.0 };
        if let Some(why) = late(timeline, cause.step.as_deref()) {
            cause.label = format!("{}: {why}", cause.label);
        }
    }
    causes
}

/// Returns why answers for a step waited, for the longest such wait.
fn late(timeline: &Timeline, step: Option<&str>) -> Option<String> {
    let runs = timeline.runs.iter().filter(|run| Some(run.step.name.as_str()) == step);
    let lates = runs.flat_map(|run| &run.effects).flat_map(Effect::completion_delays);
    Some(lates.max_by_key(|late| late.delay_ns)?.reason())
}

/// A run and its share.
type RunSide<'t> = Option<(&'t StepRun, &'t RunShare)>;

fn side<'t>(timeline: &'t Timeline, shares: &'t TimeShares, at: Option<usize>) -> RunSide<'t> {
    at.map(|at| (&timeline.runs[at], &shares.runs[at]))
}

#[derive(Default)]
struct Ledger<'t> {
    sums: BTreeMap<Key<'t>, Sum>,
}

impl<'t> Ledger<'t> {
    fn add(&mut self, key: Key<'t>, a_ns: u64, b_ns: u64) {
        let sum = self.sums.entry(key).or_default();
        sum.a_ns += a_ns;
        sum.b_ns += b_ns;
        sum.count += 1;
    }

    fn row(&mut self, a: RunSide<'t>, b: RunSide<'t>, effects: &[Pair]) {
        let alone = |step, sort| Key { step: Some(step), sort, effect: "", targets: None };
        match (a, b) {
            (None, None) => {}
            (Some((run, share)), None) => {
                self.add(alone(&run.step.name, CauseKind::Missing), share.whole_ns(), 0);
            }
            (None, Some((run, share))) => {
                self.add(alone(&run.step.name, CauseKind::Extra), 0, share.whole_ns());
            }
            (Some(a), Some(b)) => {
                let step = b.0.step.name.as_str();
                self.add(alone(step, CauseKind::Queue), a.1.queue_ns, b.1.queue_ns);
                self.add(alone(step, CauseKind::Cpu), a.1.cpu_ns, b.1.cpu_ns);
                self.add(
                    alone(step, CauseKind::CompletionDelay),
                    a.1.completion_delay_ns,
                    b.1.completion_delay_ns,
                );
                effects.iter().for_each(|pair| self.effect(step, a, b, *pair));
            }
        }
    }

    fn effect(
        &mut self,
        step: &'t str,
        a: (&'t StepRun, &RunShare),
        b: (&'t StepRun, &RunShare),
        pair: Pair,
    ) {
        let of = |(run, share): (&'t StepRun, &RunShare), at: Option<usize>| {
            at.map(|at| (&run.effects[at], share.effects[at]))
        };
        let key = |sort, effect, targets| Key { step: Some(step), sort, effect, targets };
        match (of(a, pair.a), of(b, pair.b)) {
            (None, None) => {}
            (Some((effect, share)), None) => {
                self.add(key(CauseKind::Missing, &effect.kind, None), share.whole_ns(), 0);
            }
            (None, Some((effect, share))) => {
                self.add(key(CauseKind::Extra, &effect.kind, None), 0, share.whole_ns());
            }
            (Some((a, a_share)), Some((b, b_share))) => {
                let targets = Some((a.summary.as_str(), b.summary.as_str()));
                let of = |sort| key(sort, &b.kind, targets);
                self.add(of(CauseKind::Queue), a_share.queued_ns, b_share.queued_ns);
                let (a_waits, b_waits) = (a.policy_waits(), b.policy_waits());
                let queue = self.sums.entry(of(CauseKind::Queue)).or_default();
                queue.add_waits(a, a_waits.last, -1);
                queue.add_waits(b, b_waits.last, 1);
                self.add(of(CauseKind::Effect), a_share.wait_ns, b_share.wait_ns);
                let (a_phases, b_phases) = (a.phases().into_iter(), b.phases().into_iter());
                let sum = self.sums.entry(of(CauseKind::Effect)).or_default();
                let signed = |(phase, ns): (String, u64), sign: i128| (phase, sign * i128::from(ns));
                for (phase, ns) in
                    a_phases.map(|part| signed(part, -1)).chain(b_phases.map(|part| signed(part, 1)))
                {
                    *sum.phases.entry(phase).or_default() += ns;
                }
                let (a_ends, b_ends): (BTreeSet<_>, BTreeSet<_>) =
                    (a.policy_ends().collect(), b.policy_ends().collect());
                let only = |ends: &BTreeSet<String>, others: &BTreeSet<String>, side| {
                    ends.difference(others).map(|end| format!("{end} in {side}")).collect::<Vec<_>>()
                };
                sum.policy_ends.extend(only(&a_ends, &b_ends, "a"));
                sum.policy_ends.extend(only(&b_ends, &a_ends, "b"));
                self.add(of(CauseKind::Retry), a_share.retry_ns, b_share.retry_ns);
                let retry = self.sums.entry(of(CauseKind::Retry)).or_default();
                retry.add_waits(a, a_waits.earlier, -1);
                retry.add_waits(b, b_waits.earlier, 1);
            }
        }
    }

    fn causes(self) -> Vec<Cause> {
        let sums: Vec<(Key<'t>, Sum)> = self.sums.into_iter().collect();
        let is_one = |(a, _): &(Key<'_>, _), (b, _): &(Key<'_>, _)| {
            (a.step, a.sort, a.effect) == (b.step, b.sort, b.effect)
        };
        let mut causes: Vec<Cause> = Vec::new();
        for crowd in sums.chunk_by(is_one) {
            gathered(crowd, |key, sum| {
                if sum.a_ns != sum.b_ns {
                    causes.push(Cause {
                        step: key.step.map(str::to_owned),
                        kind: key.sort,
                        label: labeled(key, sum),
                        a_ns: sum.a_ns,
                        b_ns: sum.b_ns,
                    });
                }
            });
        }
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.delta_ns().unsigned_abs()));
        causes
    }
}

/// Merges small parts: if there are more than a few targets, those with less than a fifth of the group's total become
/// one part.
fn gathered<'t>(crowd: &[(Key<'t>, Sum)], mut each: impl FnMut(&Key<'t>, &Sum)) {
    if crowd.len() <= MAX_TARGETS {
        return crowd.iter().for_each(|(key, sum)| each(key, sum));
    }
    let all_ns: u128 = crowd.iter().map(|(_, sum)| sum.delta_ns().unsigned_abs()).sum();
    let mut rest = Sum::default();
    for (key, sum) in crowd {
        if sum.delta_ns().unsigned_abs() >= all_ns.div_ceil(5) {
            each(key, sum);
        } else {
            rest.a_ns += sum.a_ns;
            rest.b_ns += sum.b_ns;
            rest.count += sum.count;
        }
    }
    each(&Key { targets: None, ..crowd[0].0 }, &rest);
}

fn labeled(key: &Key<'_>, sum: &Sum) -> String {
    let mut label = match sum.main(&sum.policy_waits) {
        Some(wait) if sum.count == 1 => wait.to_owned(),
        Some(wait) => format!("{wait} ({} calls)", sum.count),
        None => what(key, sum.count),
    };
    if let Some(phase) = sum.main(&sum.phases) {
        label += &format!(", mostly {phase}");
    }
    for end in &sum.policy_ends {
        label += &format!(", {end}");
    }
    label
}

fn what(key: &Key<'_>, count: u64) -> String {
    let (step, kind) = (key.step.unwrap_or_default(), key.effect);
    let calls = if count == 1 { "call" } else { "calls" };
    match (key.sort, key.targets) {
        (CauseKind::Receive, _) => "receiving".to_owned(),
        (CauseKind::Unexplained, _) => "unexplained".to_owned(),
        (CauseKind::Queue, _) if key.step.is_none() => "waiting in the run queue until the end".to_owned(),
        (CauseKind::Queue, _) if kind.is_empty() => format!("run queue before {step}"),
        (CauseKind::Cpu, _) => format!("CPU of {step}"),
        (CauseKind::CompletionDelay, _) => format!("late answers for {step}"),
        (CauseKind::Extra, _) if kind.is_empty() => format!("{step}, only in b"),
        (CauseKind::Missing, _) if kind.is_empty() => format!("{step}, only in a"),
        (CauseKind::Extra, _) => format!("{count} more {kind} {calls}"),
        (CauseKind::Missing, _) => format!("{count} fewer {kind} {calls}"),
        (sort, targets) => {
            let of = match sort {
                CauseKind::Retry => "retries of ",
                CauseKind::Queue => "permit wait of ",
                _ => "",
            };
            let many = if count > 1 { format!(" ({count} calls)") } else { String::new() };
            match targets {
                None => format!("{of}{count} {kind} {calls}"),
                Some((a, b)) if a == b => format!("{of}{}{many}", label(kind, b)),
                Some((a, b)) => {
                    format!("{of}{} -> {}{many}", label(kind, a), if b.is_empty() { kind } else { b })
                }
            }
        }
    }
}

fn label(kind: &str, target: &str) -> String {
    if target.is_empty() { kind.to_owned() } else { format!("{kind} {target}") }
}
