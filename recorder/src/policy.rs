//! Which traces are kept. Decides from what is known when a request has ended, without describing any of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;
use zerver_trace::{Capture, Kept};

use crate::budget::{Rates, Worth};

/// Which traces are kept; all others are counted.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Policy {
    /// All of them.
    #[default]
    All,
    /// Those worth looking at.
    Tail(Tail),
}

/// What is worth looking at: what failed, what was slow for its flow, what was asked for, and a share of the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Tail {
    /// The share of ordinary requests to keep, from 0 to 1.
    pub sample: f64,
    /// A request is slow when it takes longer than this quantile of its flow, from 0 to 1; 1 keeps none for slowness.
    pub slow_quantile: f64,
    /// How many requests of a flow must be known before any of them is called slow.
    pub slow_after: u32,
    /// At most this many failures of the service a second, so that an outage does not become an outage of recording, and
    /// at most as many slow requests. What clients get wrong has a smaller budget of its own: a tenth for requests that a
    /// flow failed with a 4xx, a tenth for those that the scheduler sent away, a hundredth for those that no flow took.
    pub max_per_second: u32,
}

impl Default for Tail {
    fn default() -> Self {
        Self { sample: 0.01, slow_quantile: 0.99, slow_after: 100, max_per_second: 1000 }
    }
}

/// Applies [`Tail`] to captures as they come.
#[derive(Debug)]
pub(crate) struct Judge {
    tail: Tail,
    rates: Arc<Rates>,
    flows: BTreeMap<String, Durations>,
}

impl Judge {
    pub(crate) fn new(tail: Tail, rates: Arc<Rates>) -> Self {
        Self { tail, rates, flows: BTreeMap::new() }
    }

    /// Judges by this from now on; what is known of the flows stays.
    pub(crate) fn set(&mut self, tail: Tail) {
        self.tail = tail;
    }

    /// Why to keep a capture; none for one that is only to be counted.
    pub(crate) fn keep(&mut self, capture: &Capture) -> Option<Kept> {
        let has_flow = !capture.flow.name.is_empty();
        let failed = Worth::of_failure(&capture.outcome, capture.status, has_flow);
        let slow = match self.flows.get_mut(&capture.flow.name) {
            Some(durations) => durations.judge(capture.duration_ns, &self.tail),
            None => {
                let mut durations = Durations::new();
                durations.judge(capture.duration_ns, &self.tail);
                self.flows.insert(capture.flow.name.clone(), durations);
                false
            }
        };
        if capture.is_recording_requested {
            return Some(Kept::Requested);
        }
        let allows = |worth| self.rates.allows(worth, capture.started_unix_ns);
        if failed.is_some_and(allows) {
            return Some(Kept::Failed);
        }
        // No flow, and so nothing that it could be slow for.
        if slow && has_flow && failed != Some(Worth::Failure) && allows(Worth::Slow) {
            return Some(Kept::Slow);
        }
        // The id decides, so that every service which sees it decides alike.
        let share = xxh3_64(&capture.id.as_u128().to_le_bytes()) as f64 / u64::MAX as f64;
        (share < self.tail.sample).then_some(Kept::Sampled)
    }
}

/// How long the requests of a flow take: counts of durations, in steps of about 9 %. What is long ago counts less.
#[derive(Debug)]
struct Durations {
    counts: Box<[u32; BUCKETS]>,
    total: u32,
    /// What is above this is slow; computed again every so often.
    threshold_ns: u64,
    until_next: u32,
}

/// Eight to each power of two.
const BUCKETS: usize = 64 * 8;
/// Past this, all counts are halved.
const FORGET: u32 = 10_000;

impl Durations {
    fn new() -> Self {
        Self { counts: Box::new([0; BUCKETS]), total: 0, threshold_ns: u64::MAX, until_next: 0 }
    }

    /// Counts a duration, and says whether it was slow by what came before it.
    fn judge(&mut self, ns: u64, tail: &Tail) -> bool {
        if self.until_next == 0 {
            self.threshold_ns =
                if self.total >= tail.slow_after { self.quantile(tail.slow_quantile) } else { u64::MAX };
            self.until_next = (self.total / 20).clamp(1, 100);
        }
        self.until_next -= 1;
        self.counts[bucket(ns)] += 1;
        self.total += 1;
        if self.total >= FORGET {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().sum();
        }
        ns > self.threshold_ns
    }

    /// The upper end of the bucket in which a quantile lies.
    fn quantile(&self, quantile: f64) -> u64 {
        if quantile >= 1.0 {
            return u64::MAX;
        }
        let wanted = (f64::from(self.total) * quantile.max(0.0)) as u32;
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen > wanted {
                return upper(at);
            }
        }
        u64::MAX
    }
}

fn bucket(ns: u64) -> usize {
    let power = ns.max(8).ilog2() as usize;
    power * 8 + (ns.max(8) >> (power - 3) & 7) as usize
}

fn upper(bucket: usize) -> u64 {
    let (power, eighth) = (bucket / 8, (bucket % 8) as u128);
    u64::try_from(((9 + eighth) << power) / 8 - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use zerver_trace::{FlowInfo, Outcome};

    use super::*;
    use crate::budget::tests::failed;
    use crate::sample;

    fn judge(tail: Tail) -> Judge {
        let rates = Rates::new(tail.max_per_second);
        Judge::new(tail, Arc::new(rates))
    }

    #[test]
    fn buckets_hold_what_they_say() {
        for ns in [0, 7, 8, 9, 1_000, 1_023, 1_024, 123_456_789, u64::MAX] {
            assert!(ns <= upper(bucket(ns)), "{ns}");
            assert!(bucket(ns) == 24 || ns > upper(bucket(ns) - 1), "{ns}");
        }
    }

    #[test]
    fn the_tail_keeps_what_failed_was_slow_was_asked_for_or_sampled() {
        let mut judge = judge(Tail { sample: 0.1, ..Tail::default() });
        let mut sampled = 0;
        for n in 0..2_000 {
            let mut capture = sample::capture(n);
            capture.duration_ns = 1_000_000 + n % 100 * 1_000;
            match judge.keep(&capture) {
                Some(Kept::Sampled) => sampled += 1,
                Some(other) => panic!("{n} kept as {other:?}"),
                None => {}
            }
        }
        assert!((150..250).contains(&sampled), "{sampled}");
        let mut slow = sample::capture(3_000);
        slow.duration_ns = 5_000_000;
        assert_eq!(judge.keep(&slow), Some(Kept::Slow));
        slow.is_recording_requested = true;
        assert_eq!(judge.keep(&slow), Some(Kept::Requested));
        let mut failed = sample::capture(3_001);
        failed.outcome = Outcome::TimedOut { step: 0 };
        assert_eq!(judge.keep(&failed), Some(Kept::Failed));
    }

    #[test]
    fn an_outage_is_not_recorded_without_end() {
        let mut judge = judge(Tail { sample: 0.0, max_per_second: 10, ..Tail::default() });
        let kept = (0..500).filter(|n| {
            let mut capture = sample::capture(*n);
            capture.started_unix_ns = sample::START_NS;
            capture.status = 503;
            judge.keep(&capture).is_some()
        });
        assert_eq!(kept.count(), 10);
    }

    /// How many of these are kept, where there are so many of each in the same second, one of each in turn.
    fn kept_of<const N: usize>(tail: Tail, many: u64, sorts: [(Outcome, u16, bool); N]) -> [usize; N] {
        let mut judge = judge(tail);
        let mut kept = [0; N];
        for n in 0..many {
            for (at, (outcome, status, has_flow)) in sorts.iter().enumerate() {
                let mut capture = sample::capture(n);
                capture.started_unix_ns = sample::START_NS;
                (capture.outcome, capture.status) = (outcome.clone(), *status);
                if !has_flow {
                    capture.flow = Arc::new(FlowInfo::default());
                }
                kept[at] += usize::from(judge.keep(&capture).is_some());
            }
        }
        kept
    }

    #[test]
    fn each_sort_has_a_budget_of_its_own() {
        let rejected = || Outcome::Rejected { reason: String::new() };
        let tail = |max_per_second| Tail { sample: 0.0, max_per_second, ..Tail::default() };
        let sorts = || {
            [
                (rejected(), 404, false),
                (rejected(), 503, true),
                (failed(), 401, true),
                (failed(), 502, true),
                (Outcome::TimedOut { step: 0 }, 504, true),
            ]
        };
        assert_eq!(kept_of(tail(200), 100, sorts()), [2, 20, 20, 100, 100], "all of the failures");
        assert_eq!(kept_of(tail(200), 300, sorts()), [2, 20, 20, 100, 100], "and no more than the budget");
        assert_eq!(kept_of(tail(5), 100, sorts())[..3], [1, 1, 1]);
        assert_eq!(kept_of(tail(0), 100, sorts()), [0; 5]);
        // Beyond its budget it is as ordinary as any other.
        let tail = Tail { sample: 1.0, max_per_second: 0, ..Tail::default() };
        assert_eq!(kept_of(tail, 100, sorts()), [100; 5]);
    }

    #[test]
    fn what_no_flow_took_is_not_slow() {
        let mut judge = judge(Tail { sample: 0.0, max_per_second: 100, ..Tail::default() });
        let rejected = || Outcome::Rejected { reason: String::new() };
        let mut kept = 0;
        for n in 0..2_000 {
            let mut capture = sample::capture(n);
            capture.started_unix_ns = sample::START_NS;
            capture.duration_ns = 1_000 * n;
            (capture.outcome, capture.status) = (rejected(), 404);
            capture.flow = Arc::new(FlowInfo::default());
            kept += usize::from(judge.keep(&capture).is_some());
        }
        assert_eq!(kept, 1);
    }
}
