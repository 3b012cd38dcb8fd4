//! How the times of one request compare with those of others: its whole, and each part as [`crate::shares`] has it.

use std::collections::{BTreeMap, BTreeSet};

use crate::time_attribution::shares;
use crate::{Timeline, median};

/// What a time was spent on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimePart {
    /// The whole request.
    Whole,
    /// Reading the body.
    Receive,
    /// A step waited for its turn.
    Queue(String),
    /// A step ran.
    Cpu(String),
    /// Effects of a step were waited for.
    Effect {
        /// The step.
        step: String,
        /// Kind and arguments in a few words; only the kind where requests ask for one thing or another.
        what: String,
    },
    /// Answers that a step had asked for lay ready while the thread of the request was busy.
    CompletionDelay(String),
    /// Nothing that the trace tells.
    Unexplained,
}

impl TimePart {
    /// The word used in JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Whole => "total",
            Self::Receive => "receive",
            Self::Queue(_) => "queue",
            Self::Cpu(_) => "cpu",
            Self::Effect { .. } => "effect",
            Self::CompletionDelay(_) => "completion_delay",
            Self::Unexplained => "unexplained",
        }
    }

    /// The step it belongs to.
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::Queue(step) | Self::Cpu(step) | Self::CompletionDelay(step) | Self::Effect { step, .. } => {
                Some(step)
            }
            _ => None,
        }
    }
}

/// A time of one request among the same of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankedTime {
    /// What it was spent on.
    pub part: TimePart,
    /// How long it took here, in nanoseconds.
    pub time_ns: u64,
    /// How long half of all requests took with it at most; 0 where they did not do it.
    pub median_ns: u64,
    /// How many others took less.
    pub slower_than: usize,
    /// How many others there are.
    pub others: usize,
}

impl RankedTime {
    fn new(place: TimePart, all_ns: &[u64]) -> Self {
        let ns = all_ns.first().copied().unwrap_or(0);
        Self {
            part: place,
            time_ns: ns,
            median_ns: median(all_ns).unwrap_or(0),
            slower_than: all_ns.iter().filter(|other| **other < ns).count(),
            others: all_ns.len().saturating_sub(1),
        }
    }

    /// The share of the others that took less, in percent, rounded down; none without others.
    pub fn percentile(&self) -> Option<u8> {
        Some((self.slower_than * 100).checked_div(self.others)? as u8)
    }
}

pub(super) type Parts = BTreeMap<TimePart, u64>;

/// The first of these requests among all of them.
pub(super) fn standings(timelines: &[Timeline]) -> (RankedTime, Vec<RankedTime>) {
    let totals: Vec<u64> = timelines.iter().map(|timeline| timeline.totals.total_ns).collect();
    let all = all_parts(timelines);
    let mut places: Vec<&TimePart> = all.iter().flat_map(BTreeMap::keys).collect();
    places.sort_unstable();
    places.dedup();
    let mut standings: Vec<RankedTime> = places
        .into_iter()
        .map(|place| {
            let all_ns: Vec<u64> = all.iter().map(|parts| parts.get(place).copied().unwrap_or(0)).collect();
            RankedTime::new(place.clone(), &all_ns)
        })
        .filter(|standing| standing.time_ns > 0 || standing.median_ns > 0)
        .collect();
    standings.sort_by_key(|it| std::cmp::Reverse(i128::from(it.time_ns) - i128::from(it.median_ns)));
    (RankedTime::new(TimePart::Whole, &totals), standings)
}

/// The parts of each.
pub(super) fn all_parts(timelines: &[Timeline]) -> Vec<Parts> {
    let common = common_effects(timelines);
    timelines.iter().map(|timeline| parts(timeline, &common)).collect()
}

/// Step, kind and, for a target, what the effect is called.
type Asked = (String, String, Option<String>);

/// The targets that nine in ten ask for, of the requests that ask for any of that kind in that step.
fn common_effects(timelines: &[Timeline]) -> BTreeSet<Asked> {
    let mut counts: BTreeMap<Asked, usize> = BTreeMap::new();
    for timeline in timelines {
        let effects =
            timeline.runs.iter().flat_map(|run| run.effects.iter().map(move |effect| (run, effect)));
        let asked: BTreeSet<Asked> = effects
            .flat_map(|(run, effect)| {
                let of = |target| (run.step.name.clone(), effect.kind.clone(), target);
                [of(None), of(Some(effect.label()))]
            })
            .collect();
        for asked in asked {
            *counts.entry(asked).or_default() += 1;
        }
    }
    let is_common = |((step, kind, target), count): &(&Asked, &usize)| {
        let of_kind = counts.get(&(step.clone(), kind.clone(), None)).copied().unwrap_or(0);
        target.is_some() && **count * 10 >= of_kind * 9
    };
    counts.iter().filter(is_common).map(|(asked, _)| asked.clone()).collect()
}

fn parts(timeline: &Timeline, common: &BTreeSet<Asked>) -> Parts {
    let shares = shares(timeline);
    let mut parts = Parts::new();
    let mut add = |place: TimePart, ns: u64| *parts.entry(place).or_default() += ns;
    add(TimePart::Receive, shares.receive_ns);
    // Of who never had a turn, no step says for what it waited.
    add(TimePart::Unexplained, shares.unexplained_ns + shares.queue_ns);
    for (run, share) in timeline.runs.iter().zip(&shares.runs) {
        let step = &run.step.name;
        add(TimePart::Queue(step.clone()), share.queue_ns);
        add(TimePart::Cpu(step.clone()), share.cpu_ns);
        add(TimePart::CompletionDelay(step.clone()), share.completion_delay_ns);
        for (effect, share) in run.effects.iter().zip(&share.effects) {
            let key = (step.clone(), effect.kind.clone(), Some(effect.label()));
            let is_common = common.contains(&key);
            let what = if is_common { effect.label() } else { effect.kind.clone() };
            add(TimePart::Effect { step: key.0, what }, share.whole_ns());
        }
    }
    parts
}
