//! How the service does, second by second: requests, failures, and how long half and nearly all of them took. Kept as
//! requests come; what is older than the window is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use crate::index::Row;

/// So many seconds are kept.
const WINDOW_S: u64 = 120;
/// The numbers beside the lines are of so many seconds.
const LATEST_S: u64 = 10;
/// A request that began later than this from now is one of a clock that was wrong.
const AHEAD_S: u64 = 2;
const SECOND_NS: u64 = 1_000_000_000;

/// Per second, what happened in it.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    seconds: BTreeMap<u64, Second>,
    /// The seconds that have changed since [`Pulse::settle`].
    changed: BTreeSet<u64>,
}

#[derive(Debug, Clone, Default)]
struct Second {
    count: u32,
    failed: u32,
    durations: Histogram,
    /// As of [`Pulse::settle`].
    p50_ns: u64,
    p99_ns: u64,
}

/// Durations in steps of a sixteenth, from nanoseconds to hours.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram(BTreeMap<u16, Bucket>);

/// The durations of one step: how many, and the extremes.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    count: u32,
    least_ns: u64,
    most_ns: u64,
}

impl Histogram {
    pub(super) fn count(&self) -> u64 {
        self.0.values().map(|of| u64::from(of.count)).sum()
    }

    pub(super) fn add(&mut self, ns: u64) {
        self.put(bucket(ns), Bucket { count: 1, least_ns: ns, most_ns: ns });
    }

    fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(bucket, more)| self.put(*bucket, *more));
    }

    fn put(&mut self, bucket: u16, more: Bucket) {
        let of = self.0.entry(bucket).or_insert(Bucket { count: 0, ..more });
        of.count = of.count.saturating_add(more.count);
        of.least_ns = of.least_ns.min(more.least_ns);
        of.most_ns = of.most_ns.max(more.most_ns);
    }

    /// What so many of a hundred took at most (nearest rank): a duration that there was where its step holds one or two,
    /// and else between those that its step holds.
    pub(super) fn percentile(&self, percent: u64) -> Option<u64> {
        let wanted = (self.count() * percent).div_ceil(100).max(1);
        let mut before = 0;
        for of in self.0.values() {
            let count = u64::from(of.count);
            if before + count >= wanted {
                // Its place among those of its step, which are taken to be spread evenly.
                let (place, last) = (wanted - before - 1, (count - 1).max(1));
                let spread = u128::from(of.most_ns - of.least_ns) * u128::from(place) / u128::from(last);
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

/// What is drawn of one measure: its line, and its number now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measure {
    /// One value a second, the newest last.
    pub(crate) line: Vec<u64>,
    /// None where there is nothing to tell.
    pub(crate) now: Option<u64>,
}

/// All that is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measures {
    /// Requests in a second; the number is in hundredths.
    pub(crate) rate: Measure,
    pub(crate) p50_ns: Measure,
    pub(crate) p99_ns: Measure,
    /// Failures in a second; the number is the share, in percent.
    pub(crate) failed: Measure,
}

impl Pulse {
    /// Takes a request in, unless it began before the window that ends now, or after it.
    pub(crate) fn add(&mut self, row: &Row<'_>, now_unix_ns: u64) {
        let (second, now) = (row.started_unix_ns / SECOND_NS, now_unix_ns / SECOND_NS);
        if second + WINDOW_S <= now || second > now + AHEAD_S {
            return;
        }
        let of = self.seconds.entry(second).or_default();
        of.count = of.count.saturating_add(1);
        of.failed = of.failed.saturating_add(u32::from(row.failed));
        of.durations.add(row.duration_ns);
        self.changed.insert(second);
        self.seconds = self.seconds.split_off(&(now + 1).saturating_sub(WINDOW_S));
    }

    /// Works out what is drawn of the seconds that have changed.
    pub(crate) fn settle(&mut self) {
        for second in std::mem::take(&mut self.changed) {
            if let Some(of) = self.seconds.get_mut(&second) {
                of.p50_ns = of.durations.percentile(50).unwrap_or(0);
                of.p99_ns = of.durations.percentile(99).unwrap_or(0);
            }
        }
    }

    /// What happened in the window that ends now.
    pub(crate) fn measures(&self, now_unix_ns: u64) -> Measures {
        let now = now_unix_ns / SECOND_NS;
        // By another clock, or since the time was looked at, requests may have begun a little later.
        let newest = self.seconds.last_key_value().map_or(now, |(newest, _)| *newest);
        let end = newest.clamp(now, now + AHEAD_S);
        let line = |of: &dyn Fn(&Second) -> u64| -> Vec<u64> {
            let shown = (end + 1).saturating_sub(WINDOW_S)..=end;
            shown.map(|at| self.seconds.get(&at).map_or(0, of)).collect()
        };
        let mut latest = Second::default();
        for (_, second) in self.seconds.range((end + 1).saturating_sub(LATEST_S)..=end) {
            latest.count = latest.count.saturating_add(second.count);
            latest.failed = latest.failed.saturating_add(second.failed);
            latest.durations.merge(&second.durations);
        }
        let is_any = latest.count > 0;
        let count = u64::from(latest.count);
        let rate = count * 100 / LATEST_S;
        Measures {
            rate: Measure { line: line(&|second| second.count.into()), now: Some(rate) },
            p50_ns: Measure { line: line(&|second| second.p50_ns), now: latest.durations.percentile(50) },
            p99_ns: Measure { line: line(&|second| second.p99_ns), now: latest.durations.percentile(99) },
            failed: Measure {
                line: line(&|second| second.failed.into()),
                now: is_any.then(|| (u64::from(latest.failed) * 100).div_ceil(count)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zerver_trace::Summary;

    use super::*;
    use crate::index::Index;
    use crate::sample;

    fn requests(all: impl IntoIterator<Item = (u64, u64, bool)>) -> Index {
        let mut index = Index::default();
        let requests = all.into_iter().map(|(second, duration_ns, failed)| Summary {
            started_unix_ns: second * SECOND_NS,
            duration_ns,
            is_failed: failed,
            ..sample::slow().summary()
        });
        index.push_newer(&requests.collect::<Vec<_>>());
        index
    }

    fn pulse(index: &Index, now: u64) -> Pulse {
        let mut pulse = Pulse::default();
        index.range().for_each(|seq| pulse.add(&index.row(seq).unwrap(), now * SECOND_NS));
        pulse.settle();
        pulse
    }

    #[test]
    fn percentiles_are_durations_that_there_were() {
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
        fn percentiles_are_close_and_never_beyond_the_extremes(
            mut all in prop::collection::vec(prop_oneof![any::<u64>(), 0u64..100, 1_000_000u64..2_000_000], 1..100),
            percent in 0u64..=100,
        ) {
            let mut histogram = Histogram::default();
            all.iter().for_each(|ns| histogram.add(*ns));
            all.sort_unstable();
            let rank = (all.len() as u64 * percent).div_ceil(100).max(1) as usize;
            let (got, exact) = (histogram.percentile(percent).unwrap(), all[rank - 1]);
            prop_assert!(all[0] <= got && got <= all[all.len() - 1]);
            // A step is a sixteenth, and the first holds all up to 16 ns.
            prop_assert!(got.abs_diff(exact) <= exact / 15 + 17, "{got} {exact}");
        }
    }

    #[test]
    fn the_window_ends_now() {
        let index = requests((1_000..1_200).map(|second| (second, 5_400_000, second % 10 == 0)));
        let shown = pulse(&index, 1_201);
        assert_eq!(shown.seconds.len() as u64, WINDOW_S - 2);
        let now = shown.measures(1_201 * SECOND_NS);
        assert_eq!((&now.rate.line[116..], now.rate.now), (&[1, 1, 0, 0][..], Some(80)));
        assert_eq!(
            (now.p50_ns.now, now.p99_ns.line[117], now.failed.now),
            (Some(5_400_000), 5_400_000, Some(0))
        );
        // Nothing is told of what is over, however long ago it was.
        for later in [1_215, 1_320, 1_330, 9_999] {
            let later = shown.measures(later * SECOND_NS);
            let numbers = [&later.p50_ns, &later.p99_ns, &later.failed].map(|measure| measure.now);
            assert_eq!((later.rate.now, numbers), (Some(0), [None; 3]));
        }
        assert_eq!(pulse(&index, 9_999).measures(9_999 * SECOND_NS).rate.line, [0; 120]);
    }

    #[test]
    fn a_request_of_a_clock_that_was_ahead_hides_no_other() {
        let index = requests([(99_999, 1, false), (1_000, 20_000, true), (1_001, 30_000, false)]);
        let now = pulse(&index, 1_000).measures(1_000 * SECOND_NS);
        assert_eq!((now.rate.now, now.failed.now, now.p99_ns.now), (Some(20), Some(50), Some(30_000)));
    }
}
