//! Ranks the times of one request among those of others: the whole, and each part as in [`crate::time_attribution`].

use std::collections::BTreeMap;
use std::fmt;

use super::MIN_POPULATION;
use crate::common_effects::CommonEffects;
use crate::time_attribution::attribute_time;
use crate::{Timeline, median};

/// A part of a request's time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimePart {
    /// The whole request.
    Whole,
    /// Reading the body.
    Receive,
    /// A step waited in the run queue.
    Queue(String),
    /// A step ran.
    Cpu(String),
    /// The request waited for effects of a step.
    Effect {
        /// Name of the step.
        step: String,
        /// Kind and summary; only the kind if requests differ in their targets.
        what: String,
    },
    /// A part of the time of an effect, between two points that it reached. It counts in the effect, too.
    Phase {
        /// Name of the step.
        step: String,
        /// Kind and summary of the effect, as in [`TimePart::Effect`].
        what: String,
        /// The part, in words: `until first byte`.
        phase: String,
    },
    /// A wait of an effect that a policy has caused. It counts in the effect, too.
    PolicyWait {
        /// Name of the step.
        step: String,
        /// The wait, in words: `wait for the rate limit of rates.example.com`.
        what: String,
    },
    /// Answers for a step waited because the worker was busy.
    CompletionDelay(String),
    /// Time that the trace does not explain.
    Unexplained,
}

impl TimePart {
    /// Returns the word used in JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Whole => "total",
            Self::Receive => "receive",
            Self::Queue(_) => "queue",
            Self::Cpu(_) => "cpu",
            Self::Effect { .. } => "effect",
            Self::Phase { .. } => "phase",
            Self::PolicyWait { .. } => "policy_wait",
            Self::CompletionDelay(_) => "completion_delay",
            Self::Unexplained => "unexplained",
        }
    }

    /// Returns the step to which the part belongs.
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::Queue(step)
            | Self::Cpu(step)
            | Self::CompletionDelay(step)
            | Self::Effect { step, .. }
            | Self::Phase { step, .. }
            | Self::PolicyWait { step, .. } => Some(step),
            Self::Whole | Self::Receive | Self::Unexplained => None,
        }
    }
}

/// Formats as `CPU of render_todo`, `http GET idp.example.com/verify (verify)`.
impl fmt::Display for TimePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("total"),
            Self::Receive => f.write_str("receiving"),
            Self::Queue(step) => write!(f, "queue before {step}"),
            Self::Cpu(step) => write!(f, "CPU of {step}"),
            Self::Phase { step, what, phase } => write!(f, "{phase}: {what} ({step})"),
            Self::Effect { step, what } | Self::PolicyWait { step, what } => write!(f, "{what} ({step})"),
            Self::CompletionDelay(step) => write!(f, "completions waiting for {step}"),
            Self::Unexplained => f.write_str("unexplained"),
        }
    }
}

/// A time of one request, ranked among the same times of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankedTime {
    /// Part of the request.
    pub part: TimePart,
    /// Time in this request, in nanoseconds.
    pub time_ns: u64,
    /// Median over all requests, in nanoseconds; requests without the part count as 0.
    pub median_ns: u64,
    /// Number of other requests that took less.
    pub slower_than: usize,
    /// Number of other requests.
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

    /// Returns a percentage if there are enough other requests for one, and else `3 of 4`.
    pub fn share(&self) -> String {
        match self.percentile() {
            Some(percent) if self.others >= MIN_POPULATION => format!("{percent}%"),
            _ => format!("{} of {}", self.slower_than, self.others),
        }
    }

    /// Returns the percentage of other requests that took less, rounded down; `None` without others.
    pub fn percentile(&self) -> Option<u8> {
        Some((self.slower_than * 100).checked_div(self.others)? as u8)
    }
}

pub(super) type Parts = BTreeMap<TimePart, u64>;

/// Ranks the first of these requests among all of them.
pub(super) fn rank_times(timelines: &[Timeline]) -> (RankedTime, Vec<RankedTime>) {
    let totals: Vec<u64> = timelines.iter().map(|timeline| timeline.totals.total_ns).collect();
    let all = all_parts(timelines);
    let mut places: Vec<&TimePart> = all.iter().flat_map(BTreeMap::keys).collect();
    places.sort_unstable();
    places.dedup();
    let mut rank_times: Vec<RankedTime> = places
        .into_iter()
        .map(|place| {
            let all_ns: Vec<u64> = all.iter().map(|parts| parts.get(place).copied().unwrap_or(0)).collect();
            RankedTime::new(place.clone(), &all_ns)
        })
        .filter(|standing| standing.time_ns > 0 || standing.median_ns > 0)
        .collect();
    rank_times.sort_by_key(|it| std::cmp::Reverse(i128::from(it.time_ns) - i128::from(it.median_ns)));
    (RankedTime::new(TimePart::Whole, &totals), rank_times)
}

/// Returns the parts of each request.
pub(super) fn all_parts(timelines: &[Timeline]) -> Vec<Parts> {
    let common = CommonEffects::of(timelines);
    timelines.iter().map(|timeline| parts(timeline, &common)).collect()
}

fn parts(timeline: &Timeline, common: &CommonEffects) -> Parts {
    let shares = attribute_time(timeline);
    let mut parts = Parts::new();
    let mut add = |place: TimePart, ns: u64| *parts.entry(place).or_default() += ns;
    add(TimePart::Receive, shares.receive_ns);
    // A request that never ran has no step for its time in the run queue.
    add(TimePart::Unexplained, shares.unexplained_ns + shares.queue_ns);
    for (run, share) in timeline.runs.iter().zip(&shares.runs) {
        let step = &run.step.name;
        add(TimePart::Queue(step.clone()), share.queue_ns);
        add(TimePart::Cpu(step.clone()), share.cpu_ns);
        add(TimePart::CompletionDelay(step.clone()), share.completion_delay_ns);
        for (effect, share) in run.effects.iter().zip(&share.effects) {
            let (is_common, what) = (common.has(step, effect), common.name(step, effect));
            for (phase, ns) in effect.phases() {
                add(TimePart::Phase { step: step.clone(), what: what.clone(), phase }, ns);
            }
            let summary = if is_common { effect.summary.as_str() } else { "" };
            let waits = effect.policy_waits();
            for (wait, ns) in waits.earlier.into_iter().chain(waits.last) {
                let what = wait.label(&effect.kind, summary);
                add(TimePart::PolicyWait { step: step.clone(), what }, ns);
            }
            add(TimePart::Effect { step: step.clone(), what }, share.whole_ns());
        }
    }
    parts
}
