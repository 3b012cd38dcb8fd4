//! How the service does, second by second: requests, failures, and how long half and nearly all of them took. Kept as
//! requests come; what is older than the window is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use crate::index::Row;

/// So many seconds are kept.
const WINDOW_S: u64 = 120;
/// The numbers beside the lines are of so many seconds.
const LATEST_S: u64 = 10;
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
pub(super) struct Histogram(BTreeMap<u16, u32>);

impl Histogram {
    pub(super) fn count(&self) -> u64 {
        self.0.values().map(|n| u64::from(*n)).sum()
    }

    pub(super) fn add(&mut self, ns: u64) {
        *self.0.entry(bucket(ns)).or_default() += 1;
    }

    fn merge(&mut self, other: &Self) {
        for (bucket, n) in &other.0 {
            *self.0.entry(*bucket).or_default() += n;
        }
    }

    /// What so many of a hundred took at most.
    pub(super) fn percentile(&self, percent: u64) -> Option<u64> {
        let wanted = (self.count() * percent).div_ceil(100).max(1);
        let mut sum = 0;
        for (bucket, n) in &self.0 {
            sum += u64::from(*n);
            if sum >= wanted {
                return Some(top(*bucket));
            }
        }
        None
    }
}

fn bucket(ns: u64) -> u16 {
    let exponent = 63 - ns.max(16).leading_zeros() as u16;
    let sixteenth = (ns.max(16) >> (exponent - 4) & 15) as u16;
    exponent * 16 + sixteenth
}

/// About the middle of a bucket.
const fn top(bucket: u16) -> u64 {
    let (exponent, sixteenth) = (bucket / 16, (bucket % 16) as u64);
    let step = 1u64 << (exponent - 4);
    (16 + sixteenth) * step + step / 2
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
    pub(crate) fn add(&mut self, row: &Row<'_>) {
        let second = row.started_unix_ns / SECOND_NS;
        let newest = self.seconds.last_key_value().map_or(second, |(newest, _)| (*newest).max(second));
        if second + WINDOW_S <= newest {
            return;
        }
        let of = self.seconds.entry(second).or_default();
        of.count = of.count.saturating_add(1);
        of.failed = of.failed.saturating_add(u32::from(row.failed));
        of.durations.add(row.duration_ns);
        self.changed.insert(second);
        self.seconds = self.seconds.split_off(&(newest + 1).saturating_sub(WINDOW_S));
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

    /// What happened in the window, which ends now, or with the last request if that was long ago.
    pub(crate) fn measures(&self, now_unix_ns: u64) -> Measures {
        let now = now_unix_ns / SECOND_NS;
        let newest = self.seconds.last_key_value().map_or(now, |(newest, _)| *newest);
        let end = if newest + WINDOW_S < now || newest > now { newest } else { now };
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
        // Of a window that is over there is much to tell, but nothing comes any more.
        let rate = if end < now { 0 } else { count * 100 / LATEST_S };
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
    use zerver_trace::Summary;

    use super::*;
    use crate::index::Index;
    use crate::sample;

    #[test]
    fn buckets_are_close() {
        for ns in [1u64, 16, 17, 999, 5_400_000, 3_600_000_000_000, u64::MAX / 2] {
            let shown = top(bucket(ns)) as f64;
            let exact = ns.max(16) as f64;
            assert!((shown / exact - 1.0).abs() < 0.07, "{ns} {shown}");
        }
    }

    #[test]
    fn the_window_ends_now_or_with_the_last_request() {
        let (mut index, mut pulse) = (Index::default(), Pulse::default());
        let requests: Vec<Summary> = (0..200u64)
            .map(|second| {
                let mut summary = sample::slow().summary();
                summary.started_unix_ns = (1_000 + second) * SECOND_NS;
                summary.failed = second % 10 == 0;
                summary
            })
            .collect();
        index.push_newer(&requests);
        index.range().for_each(|seq| pulse.add(&index.row(seq).unwrap()));
        pulse.settle();
        assert_eq!(pulse.seconds.len() as u64, WINDOW_S);
        assert!(pulse.measures(1_201 * SECOND_NS).p99_ns.line[117].abs_diff(5_400_000) < 300_000);
        let now = pulse.measures(1_201 * SECOND_NS);
        assert_eq!((&now.rate.line[116..], now.rate.now), (&[1, 1, 0, 0][..], Some(80)));
        let later = pulse.measures(9_999 * SECOND_NS);
        assert_eq!((later.rate.line, later.rate.now, later.failed.now), (vec![1; 120], Some(0), Some(10)));
        assert!(later.p50_ns.now.unwrap().abs_diff(5_400_000) < 300_000);
    }
}
