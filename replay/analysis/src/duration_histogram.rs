//! Histograms of durations with round limits.

use serde::Serialize;

/// Number of requests whose durations lie in an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DurationBucket {
    /// Smallest duration.
    pub from_ns: u64,
    /// The next larger duration that no longer belongs to it.
    pub to_ns: u64,
    /// Number of requests.
    pub count: u64,
}

impl DurationBucket {
    /// Returns true if a duration lies in the interval.
    pub const fn contains(&self, ns: u64) -> bool {
        self.from_ns <= ns && (ns < self.to_ns || self.to_ns == u64::MAX)
    }
}

/// Counts durations in intervals of 1, 2 and 5 times a power of ten, without gaps from the shortest duration to the
/// longest.
pub fn duration_histogram(durations: impl IntoIterator<Item = u64>) -> Vec<DurationBucket> {
    let mut buckets: Vec<DurationBucket> = Vec::new();
    let mut sorted: Vec<u64> = durations.into_iter().collect();
    sorted.sort_unstable();
    for ns in sorted {
        loop {
            match buckets.last_mut() {
                Some(last) if ns < last.to_ns || last.to_ns == u64::MAX => {
                    last.count += 1;
                    break;
                }
                Some(DurationBucket { to_ns, .. }) => {
                    let from_ns = *to_ns;
                    buckets.push(DurationBucket { from_ns, to_ns: next_limit(from_ns), count: 0 });
                }
                None => {
                    let from_ns = limit_below(ns);
                    buckets.push(DurationBucket { from_ns, to_ns: next_limit(from_ns), count: 0 });
                }
            }
        }
    }
    buckets
}

/// Returns the largest limit that is not above a duration.
fn limit_below(ns: u64) -> u64 {
    let mut limit = 0;
    while next_limit(limit) <= ns && next_limit(limit) != u64::MAX {
        limit = next_limit(limit);
    }
    limit
}

/// Returns the limit after another: 0, 1 µs, 2 µs, 5 µs, 10 µs and so on.
fn next_limit(limit: u64) -> u64 {
    if limit == 0 {
        return 1_000;
    }
    let power = 10_u64.pow(limit.ilog10());
    match limit / power {
        1 => limit.saturating_mul(2),
        2 => power.saturating_mul(5),
        _ => power.saturating_mul(10),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn limits_are_round() {
        let histogram = duration_histogram([4_999_999, 1_500_000, 5_000_000, 40_000_000, 1_000_000]);
        let shown: Vec<_> = histogram
            .iter()
            .map(|bucket| (bucket.from_ns / 1_000_000, bucket.to_ns / 1_000_000, bucket.count))
            .collect();
        assert_eq!(shown, [(1, 2, 2), (2, 5, 1), (5, 10, 1), (10, 20, 0), (20, 50, 1)]);
        assert_eq!(duration_histogram([]), []);
    }

    proptest! {
        #[test]
        fn each_duration_is_counted_once(durations in prop::collection::vec(any::<u64>(), 0..50)) {
            let histogram = duration_histogram(durations.clone());
            prop_assert_eq!(histogram.iter().map(|bucket| bucket.count).sum::<u64>(), durations.len() as u64);
            for pair in histogram.windows(2) {
                prop_assert_eq!(pair[0].to_ns, pair[1].from_ns);
            }
            for bucket in &histogram {
                let within = durations.iter().filter(|ns| bucket.contains(**ns)).count();
                prop_assert_eq!(within as u64, bucket.count);
            }
            prop_assert!(histogram.len() <= 64);
        }
    }
}
