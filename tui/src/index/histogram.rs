//! Histogram of durations, for percentiles of many values.

use std::collections::BTreeMap;

/// Durations in buckets of a sixteenth of a power of two, from nanoseconds to hours.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram(BTreeMap<u16, Bucket>);

/// Number of durations in one bucket, with their extremes.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    count: u32,
    least_ns: u64,
    most_ns: u64,
}

impl Histogram {
    pub(crate) fn count(&self) -> u64 {
        self.0.values().map(|of| u64::from(of.count)).sum()
    }

    pub(crate) fn add(&mut self, ns: u64) {
        self.put(bucket(ns), Bucket { count: 1, least_ns: ns, most_ns: ns });
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(bucket, more)| self.put(*bucket, *more));
    }

    fn put(&mut self, bucket: u16, more: Bucket) {
        let of = self.0.entry(bucket).or_insert(Bucket { count: 0, ..more });
        of.count = of.count.saturating_add(more.count);
        of.least_ns = of.least_ns.min(more.least_ns);
        of.most_ns = of.most_ns.max(more.most_ns);
    }

    /// Returns a percentile (nearest rank): exact if its bucket holds one or two values, else interpolated within the
    /// bucket.
    pub(crate) fn percentile(&self, percent: u64) -> Option<u64> {
        let wanted = (self.count() * percent).div_ceil(100).max(1);
        let mut before = 0;
        for of in self.0.values() {
            let count = u64::from(of.count);
            if before + count >= wanted {
                // Values within a bucket are assumed to be evenly spread.
                let (position, last) = (wanted - before - 1, (count - 1).max(1));
                let spread = u128::from(of.most_ns - of.least_ns) * u128::from(position) / u128::from(last);
                return Some(of.least_ns + spread as u64);
            }
            before += count;
        }
        None
    }
}

fn bucket(ns: u64) -> u16 {
    let exponent = 63 - ns.max(16).leading_zeros() as u16;
    let sixteenth = (ns.max(16) >> (exponent - 4) & 15) as u16;
    exponent * 16 + sixteenth
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_of_few_values_are_exact() {
        let of = |all: &[u64], percent| {
            let mut histogram = Histogram::default();
            all.iter().for_each(|ns| histogram.add(*ns));
            histogram.percentile(percent)
        };
        assert_eq!(of(&[], 99), None);
        let three = [249_900, 5_000_000, 252_790_000];
        assert_eq!((of(&three, 50), of(&three, 99)), (Some(5_000_000), Some(252_790_000)));
        assert_eq!(of(&[0, 1, u64::MAX], 99), Some(u64::MAX));
        assert_eq!((of(&[5_400_000; 9], 50), of(&[5_400_000; 9], 99)), (Some(5_400_000), Some(5_400_000)));
        assert_eq!(
            (of(&[1_000_000, 1_010_000], 50), of(&[1_000_000, 1_010_000], 99)),
            (Some(1_000_000), Some(1_010_000))
        );
    }

    proptest! {
        #[test]
        fn percentiles_are_close_and_within_the_extremes(
            mut all in prop::collection::vec(prop_oneof![any::<u64>(), 0u64..100, 1_000_000u64..2_000_000], 1..100),
            percent in 0u64..=100,
        ) {
            let mut histogram = Histogram::default();
            all.iter().for_each(|ns| histogram.add(*ns));
            all.sort_unstable();
            let rank = (all.len() as u64 * percent).div_ceil(100).max(1) as usize;
            let (got, exact) = (histogram.percentile(percent).unwrap(), all[rank - 1]);
            prop_assert!(all[0] <= got && got <= all[all.len() - 1]);
            // A bucket spans a sixteenth; the first holds everything up to 16 ns.
            prop_assert!(got.abs_diff(exact) <= exact / 15 + 17, "{got} {exact}");
        }
    }
}
