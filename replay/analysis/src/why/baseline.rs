//! Typical times of a flow: quantiles of the whole and of each part, over many requests.

use std::collections::BTreeMap;

use super::ranked_times::{TimePart, all_parts};
use crate::Timeline;
use crate::quantile::quantile;

/// Quantiles of a time, over the requests that spent any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Number of requests that spent any.
    pub requests: usize,
    /// Median, in nanoseconds.
    pub p50_ns: u64,
    /// 99th percentile, in nanoseconds.
    pub p99_ns: u64,
}

impl Distribution {
    fn of(mut all_ns: Vec<u64>) -> Self {
        all_ns.sort_unstable();
        Self { requests: all_ns.len(), p50_ns: quantile(&all_ns, 50), p99_ns: quantile(&all_ns, 99) }
    }
}

/// Typical times of a flow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// Whole requests.
    pub total: Distribution,
    /// Parts of requests, each over the requests that had it.
    pub parts: BTreeMap<TimePart, Distribution>,
}

impl Baseline {
    /// Computes the typical times of requests of one flow.
    pub fn of(timelines: &[Timeline]) -> Self {
        let total = Distribution::of(timelines.iter().map(|timeline| timeline.totals.total_ns).collect());
        let mut all: BTreeMap<TimePart, Vec<u64>> = BTreeMap::new();
        for (place, ns) in all_parts(timelines).into_iter().flatten().filter(|(_, ns)| *ns > 0) {
            all.entry(place).or_default().push(ns);
        }
        Self { total, parts: all.into_iter().map(|(place, ns)| (place, Distribution::of(ns))).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerver_testkit::sample::report;

    #[test]
    fn quantiles_use_the_nearest_rank() {
        let spread = |n: u64| Distribution::of((1..=n).rev().collect());
        for (n, p50_ns, p99_ns) in [(0, 0, 0), (1, 1, 1), (2, 1, 2), (100, 50, 99), (200, 100, 198)] {
            assert_eq!(spread(n), Distribution { requests: n as usize, p50_ns, p99_ns });
        }
    }

    #[test]
    fn parts_are_named_by_step_and_effect() {
        let timelines: Vec<Timeline> = (0..100).map(|n| Timeline::of(&report(n))).collect();
        let usual = Baseline::of(&timelines);
        let place =
            TimePart::Effect { step: "gather".into(), what: "http GET figures.internal/figures?..".into() };
        assert_eq!(usual.total, Distribution { requests: 100, p50_ns: 49_430_000, p99_ns: 98_430_000 });
        assert_eq!(
            usual.parts[&place],
            Distribution { requests: 100, p50_ns: 49_370_000, p99_ns: 98_370_000 }
        );
    }
}
