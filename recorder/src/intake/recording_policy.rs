//! The recording policy, which decides on each finished request without describing its values.

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;
use zerver_trace::{EndedRequest, Kept};

use crate::intake::rate_budget::{BudgetClass, RateBudgets};

/// Selects the traces to keep. The others are counted.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum RecordingPolicy {
    /// Every trace.
    #[default]
    All,
    /// Traces of interest.
    Tail(TailPolicy),
}

/// Keeps failed requests, requests that were slow for their flow, requests whose trace was requested, and a sample of
/// the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct TailPolicy {
    /// Fraction of ordinary requests to keep, from 0 to 1.
    pub sample: f64,
    /// Quantile of the durations of a flow above which a request is slow, from 0 to 1. With 1, no request is slow.
    pub slow_quantile: f64,
    /// Number of requests of a flow that must be known before one of them can be slow.
    pub slow_after: u32,
    /// Maximum number of failures of the service to keep per second, and of slow requests, so that an outage of the
    /// service does not overload the recorder. Failures caused by clients have smaller budgets: a tenth for requests
    /// that a flow answered with a 4xx, a tenth for shed requests, and a hundredth for requests that matched no flow.
    pub max_per_second: u32,
}

impl Default for TailPolicy {
    fn default() -> Self {
        Self { sample: 0.01, slow_quantile: 0.99, slow_after: 100, max_per_second: 1000 }
    }
}

/// Applies a [`TailPolicy`] to requests.
#[derive(Debug)]
pub(crate) struct TailSampler {
    tail: TailPolicy,
    budgets: Arc<RateBudgets>,
    flows: BTreeMap<String, DurationHistogram>,
}

impl TailSampler {
    pub(crate) fn new(tail: TailPolicy, budgets: Arc<RateBudgets>) -> Self {
        Self { tail, budgets, flows: BTreeMap::new() }
    }

    /// Changes the policy. The known durations stay.
    pub(crate) fn set_policy(&mut self, tail: TailPolicy) {
        self.tail = tail;
    }

    /// Returns the reason to keep a request. `None` if it is only counted.
    pub(crate) fn decide(&mut self, ended: &EndedRequest<'_>) -> Option<Kept> {
        let has_flow = !ended.flow.name.is_empty();
        let failed = BudgetClass::for_failure(ended.outcome, ended.status, has_flow);
        let slow = match self.flows.get_mut(&ended.flow.name) {
            Some(durations) => durations.is_slow(ended.duration_ns, &self.tail),
            None => {
                let mut durations = DurationHistogram::new();
                durations.is_slow(ended.duration_ns, &self.tail);
                self.flows.insert(ended.flow.name.clone(), durations);
                false
            }
        };
        if ended.is_recording_requested {
            return Some(Kept::Requested);
        }
        let allows = |class| self.budgets.try_spend(class, ended.started_unix_ns);
        if failed.is_some_and(allows) {
            return Some(Kept::Failed);
        }
        // Without a flow there are no durations to compare with.
        if slow && has_flow && failed != Some(BudgetClass::Failure) && allows(BudgetClass::Slow) {
            return Some(Kept::Slow);
        }
        // Sampled by id, so that every service with this id makes the same decision.
        let share = xxh3_64(&ended.id.as_u128().to_le_bytes()) as f64 / u64::MAX as f64;
        (share < self.tail.sample).then_some(Kept::Sampled)
    }
}

/// Histogram of the durations of a flow, in steps of about 9 %. Older durations count less.
#[derive(Debug)]
struct DurationHistogram {
    counts: Box<[u32; BUCKETS]>,
    total: u32,
    /// Duration above which a request is slow, in nanoseconds. Recomputed at intervals.
    threshold_ns: u64,
    until_next: u32,
}

/// Number of buckets: eight for each power of two.
const BUCKETS: usize = 64 * 8;
/// Total count at which all counts are halved.
const MAX_COUNT: u32 = 10_000;

impl DurationHistogram {
    fn new() -> Self {
        Self { counts: Box::new([0; BUCKETS]), total: 0, threshold_ns: u64::MAX, until_next: 0 }
    }

    /// Counts a duration, and returns true if it is slow compared with earlier ones.
    fn is_slow(&mut self, ns: u64, tail: &TailPolicy) -> bool {
        if self.until_next == 0 {
            self.threshold_ns =
                if self.total >= tail.slow_after { self.quantile(tail.slow_quantile) } else { u64::MAX };
            self.until_next = (self.total / 20).clamp(1, 100);
        }
        self.until_next -= 1;
        self.counts[bucket(ns)] += 1;
        self.total += 1;
        if self.total >= MAX_COUNT {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().sum();
        }
        ns > self.threshold_ns
    }

    /// Returns the upper end of the bucket that contains a quantile.
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
    use crate::intake::rate_budget::tests::failed;
    use crate::sample_traces;

    fn sampler(tail: TailPolicy) -> TailSampler {
        let budgets = RateBudgets::new(tail.max_per_second);
        TailSampler::new(tail, Arc::new(budgets))
    }

    #[test]
    fn a_duration_lies_within_its_bucket() {
        for ns in [0, 7, 8, 9, 1_000, 1_023, 1_024, 123_456_789, u64::MAX] {
            assert!(ns <= upper(bucket(ns)), "{ns}");
            assert!(bucket(ns) == 24 || ns > upper(bucket(ns) - 1), "{ns}");
        }
    }

    #[test]
    fn the_tail_policy_keeps_failed_slow_requested_and_sampled_requests() {
        let mut sampler = sampler(TailPolicy { sample: 0.1, ..TailPolicy::default() });
        let mut sampled = 0;
        for n in 0..2_000 {
            let mut capture = sample_traces::capture(n);
            capture.duration_ns = 1_000_000 + n % 100 * 1_000;
            match sampler.decide(&capture.ended()) {
                Some(Kept::Sampled) => sampled += 1,
                Some(other) => panic!("{n} kept as {other:?}"),
                None => {}
            }
        }
        assert!((150..250).contains(&sampled), "{sampled}");
        let mut slow = sample_traces::capture(3_000);
        slow.duration_ns = 5_000_000;
        assert_eq!(sampler.decide(&slow.ended()), Some(Kept::Slow));
        slow.is_recording_requested = true;
        assert_eq!(sampler.decide(&slow.ended()), Some(Kept::Requested));
        let mut failed = sample_traces::capture(3_001);
        failed.outcome = Outcome::TimedOut { step: 0 };
        assert_eq!(sampler.decide(&failed.ended()), Some(Kept::Failed));
    }

    #[test]
    fn an_outage_is_recorded_up_to_the_budget() {
        let mut sampler = sampler(TailPolicy { sample: 0.0, max_per_second: 10, ..TailPolicy::default() });
        let kept = (0..500).filter(|n| {
            let mut capture = sample_traces::capture(*n);
            capture.started_unix_ns = sample_traces::START_NS;
            capture.status = 503;
            sampler.decide(&capture.ended()).is_some()
        });
        assert_eq!(kept.count(), 10);
    }

    /// Returns how many requests of each sort are kept, if `many` of each occur in turn within one second.
    fn kept_of<const N: usize>(tail: TailPolicy, many: u64, sorts: [(Outcome, u16, bool); N]) -> [usize; N] {
        let mut sampler = sampler(tail);
        let mut kept = [0; N];
        for n in 0..many {
            for (at, (outcome, status, has_flow)) in sorts.iter().enumerate() {
                let mut capture = sample_traces::capture(n);
                capture.started_unix_ns = sample_traces::START_NS;
                (capture.outcome, capture.status) = (outcome.clone(), *status);
                if !has_flow {
                    capture.flow = Arc::new(FlowInfo::default());
                }
                kept[at] += usize::from(sampler.decide(&capture.ended()).is_some());
            }
        }
        kept
    }

    #[test]
    fn each_class_has_a_separate_budget() {
        let rejected = || Outcome::Rejected { reason: String::new() };
        let tail = |max_per_second| TailPolicy { sample: 0.0, max_per_second, ..TailPolicy::default() };
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
        // Beyond its budget, a failure is sampled like an ordinary request.
        let tail = TailPolicy { sample: 1.0, max_per_second: 0, ..TailPolicy::default() };
        assert_eq!(kept_of(tail, 100, sorts()), [100; 5]);
    }

    #[test]
    fn a_request_without_a_flow_is_never_slow() {
        let mut sampler = sampler(TailPolicy { sample: 0.0, max_per_second: 100, ..TailPolicy::default() });
        let rejected = || Outcome::Rejected { reason: String::new() };
        let mut kept = 0;
        for n in 0..2_000 {
            let mut capture = sample_traces::capture(n);
            capture.started_unix_ns = sample_traces::START_NS;
            capture.duration_ns = 1_000 * n;
            (capture.outcome, capture.status) = (rejected(), 404);
            capture.flow = Arc::new(FlowInfo::default());
            kept += usize::from(sampler.decide(&capture.ended()).is_some());
        }
        assert_eq!(kept, 1);
    }
}
