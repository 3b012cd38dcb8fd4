//! Rate, failures and percentiles per second, for the lines above the list. They are updated as requests arrive;
//! seconds outside the window are dropped.

use std::collections::{BTreeMap, BTreeSet};

use super::histogram::Histogram;
use super::request_index::RequestRow;

/// Length of the window, in seconds.
const WINDOW_S: u64 = 120;
/// Period that the current numbers cover, in seconds.
const LATEST_S: u64 = 10;
/// Tolerance for start times in the future, in seconds. Later ones come from a wrong clock.
const AHEAD_S: u64 = 2;
const SECOND_NS: u64 = 1_000_000_000;

/// Statistics per second.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    seconds: BTreeMap<u64, Second>,
    /// Seconds that changed since the last [`Rates::settle`].
    changed: BTreeSet<u64>,
}

#[derive(Debug, Clone, Default)]
struct Second {
    count: u32,
    failed: u32,
    durations: Histogram,
    /// Median as of the last [`Rates::settle`].
    p50_ns: u64,
    p99_ns: u64,
}

/// Metric: its values over time, and the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metric {
    /// A value per second, the newest last.
    pub(crate) line: Vec<u64>,
    /// Current value; `None` without requests.
    pub(crate) now: Option<u64>,
}

/// All metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metrics {
    /// Requests per second; `now` is in hundredths.
    pub(crate) rate: Metric,
    pub(crate) p50_ns: Metric,
    pub(crate) p99_ns: Metric,
    /// Failures per second, without 4xx; `now` is the share in percent.
    pub(crate) failed: Metric,
}

impl Rates {
    /// Adds a request if it started within the window.
    pub(crate) fn add(&mut self, row: &RequestRow<'_>, now_unix_ns: u64) {
        let (second, now) = (row.started_unix_ns / SECOND_NS, now_unix_ns / SECOND_NS);
        if second + WINDOW_S <= now || second > now + AHEAD_S {
            return;
        }
        let of = self.seconds.entry(second).or_default();
        of.count = of.count.saturating_add(1);
        of.failed = of.failed.saturating_add(u32::from(row.is_error()));
        of.durations.add(row.duration_ns);
        self.changed.insert(second);
        self.seconds = self.seconds.split_off(&(now + 1).saturating_sub(WINDOW_S));
    }

    /// Recomputes the percentiles of the seconds that changed.
    pub(crate) fn settle(&mut self) {
        for second in std::mem::take(&mut self.changed) {
            if let Some(of) = self.seconds.get_mut(&second) {
                of.p50_ns = of.durations.percentile(50).unwrap_or(0);
                of.p99_ns = of.durations.percentile(99).unwrap_or(0);
            }
        }
    }

    /// Returns the metrics of the window that ends now.
    pub(crate) fn metrics(&self, now_unix_ns: u64) -> Metrics {
        let now = now_unix_ns / SECOND_NS;
        // Requests may have started slightly later: by another clock, or since the last tick.
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
        Metrics {
            rate: Metric { line: line(&|second| second.count.into()), now: Some(rate) },
            p50_ns: Metric { line: line(&|second| second.p50_ns), now: latest.durations.percentile(50) },
            p99_ns: Metric { line: line(&|second| second.p99_ns), now: latest.durations.percentile(99) },
            failed: Metric {
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
    use crate::index::RequestIndex;
    use zerver_testkit::sample;

    fn requests(all: impl IntoIterator<Item = (u64, u64, bool)>) -> RequestIndex {
        let mut index = RequestIndex::default();
        let requests = all.into_iter().map(|(second, duration_ns, failed)| Summary {
            started_unix_ns: second * SECOND_NS,
            duration_ns,
            is_failed: failed,
            ..sample::slow().summary()
        });
        index.push_newer(&requests.collect::<Vec<_>>());
        index
    }

    fn rates(index: &RequestIndex, now: u64) -> Rates {
        let mut rates = Rates::default();
        index.range().for_each(|seq| rates.add(&index.row(seq).unwrap(), now * SECOND_NS));
        rates.settle();
        rates
    }

    #[test]
    fn the_window_ends_now() {
        let index = requests((1_000..1_200).map(|second| (second, 5_400_000, second % 10 == 0)));
        let shown = rates(&index, 1_201);
        assert_eq!(shown.seconds.len() as u64, WINDOW_S - 2);
        let now = shown.metrics(1_201 * SECOND_NS);
        assert_eq!((&now.rate.line[116..], now.rate.now), (&[1, 1, 0, 0][..], Some(80)));
        assert_eq!(
            (now.p50_ns.now, now.p99_ns.line[117], now.failed.now),
            (Some(5_400_000), 5_400_000, Some(0))
        );
        // Once the requests leave the window, there is nothing to report.
        for later in [1_215, 1_320, 1_330, 9_999] {
            let later = shown.metrics(later * SECOND_NS);
            let numbers = [&later.p50_ns, &later.p99_ns, &later.failed].map(|metric| metric.now);
            assert_eq!((later.rate.now, numbers), (Some(0), [None; 3]));
        }
        assert_eq!(rates(&index, 9_999).metrics(9_999 * SECOND_NS).rate.line, [0; 120]);
    }

    #[test]
    fn a_start_time_in_the_future_is_ignored() {
        let index = requests([(99_999, 1, false), (1_000, 20_000, true), (1_001, 30_000, false)]);
        let now = rates(&index, 1_000).metrics(1_000 * SECOND_NS);
        assert_eq!((now.rate.now, now.failed.now, now.p99_ns.now), (Some(20), Some(50), Some(30_000)));
    }
}
