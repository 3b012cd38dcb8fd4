//! Requests of a flow that missed an objective, minute by minute, on one thread.
//!
//! The thread of the flow writes, and others read for the metrics. A reader that meets a minute which is being reused may miss
//! a request, which no rate shows.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use zerver_engine::Slo;

use crate::time::nanos;

/// Number of minutes that are kept: the longest window, and the minute that has not ended.
const MINUTES: u64 = 361;
const MINUTE_NS: u64 = 60_000_000_000;

/// Counters of a flow with objectives.
#[derive(Debug)]
pub(crate) struct SloWindow {
    p95_ns: u64,
    p99_ns: u64,
    total: [AtomicU64; 4],
    minutes: Box<[Minute]>,
}

/// Counters of a minute.
#[derive(Debug, Default)]
struct Minute {
    /// Number of the minute since the service started, from 1.
    number: AtomicU64,
    counts: [AtomicU32; 4],
}

/// Requests, those that took longer than the limits of p95 and p99, and those that failed.
#[cfg(feature = "metrics")]
pub(crate) type SloCounts = [u64; 4];

impl SloWindow {
    /// Creates the counters of a flow. Returns `None` for a flow without objectives.
    pub(crate) fn new(slo: Slo) -> Option<Box<Self>> {
        if slo == Slo::new() {
            return None;
        }
        let ns = |limit: Option<std::time::Duration>| limit.map_or(u64::MAX, nanos);
        Some(Box::new(Self {
            p95_ns: ns(slo.p95_limit()),
            p99_ns: ns(slo.p99_limit()),
            total: Default::default(),
            minutes: (0..MINUTES).map(|_| Minute::default()).collect(),
        }))
    }

    /// Counts a request that has ended at `now_ns`, on the clock of the service.
    pub(crate) fn count(&self, now_ns: u64, duration_ns: u64, has_failed: bool) {
        let number = minute_number(now_ns);
        let minute = &self.minutes[(number % MINUTES) as usize];
        if minute.number.load(Ordering::Relaxed) != number {
            // Readers skip a minute without a number.
            minute.number.store(0, Ordering::Relaxed);
            minute.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
            minute.number.store(number, Ordering::Release);
        }
        let is_counted = [true, duration_ns > self.p95_ns, duration_ns > self.p99_ns, has_failed];
        for (at, _) in is_counted.iter().enumerate().filter(|(_, is_counted)| **is_counted) {
            let (count, total) = (&minute.counts[at], &self.total[at]);
            count.store(count.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
            total.store(total.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// Adds the requests so far.
    #[cfg(feature = "metrics")]
    pub(crate) fn add_total(&self, counts: &mut SloCounts) {
        for (sum, total) in counts.iter_mut().zip(&self.total) {
            *sum += total.load(Ordering::Relaxed);
        }
    }

    /// Adds the requests of the minute that has not ended, and of the given number of minutes before it.
    #[cfg(feature = "metrics")]
    pub(crate) fn add_last(&self, now_ns: u64, minutes: u32, counts: &mut SloCounts) {
        let now = minute_number(now_ns);
        for minute in &self.minutes {
            let number = minute.number.load(Ordering::Acquire);
            if number > 0 && number <= now && now - number <= u64::from(minutes) {
                for (sum, count) in counts.iter_mut().zip(&minute.counts) {
                    *sum += u64::from(count.load(Ordering::Relaxed));
                }
            }
        }
    }
}

fn minute_number(now_ns: u64) -> u64 {
    now_ns / MINUTE_NS + 1
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: u64 = 1_000_000;

    fn last(window: &SloWindow, minute: u64, minutes: u32) -> SloCounts {
        let mut counts = SloCounts::default();
        window.add_last(minute * MINUTE_NS + 1, minutes, &mut counts);
        counts
    }

    #[test]
    fn a_flow_without_objectives_has_no_counters() {
        assert!(SloWindow::new(Slo::new()).is_none());
    }

    #[test]
    fn requests_count_in_the_windows_that_they_are_in() {
        let slo = Slo::new().p95(Duration::from_millis(50)).p99(Duration::from_millis(200));
        let window = SloWindow::new(slo).unwrap();
        window.count(0, 50 * MS, false);
        window.count(MINUTE_NS, 51 * MS, true);
        window.count(7 * MINUTE_NS, 201 * MS, false);
        assert_eq!(last(&window, 7, 5), [1, 1, 1, 0]);
        assert_eq!(last(&window, 7, 60), [3, 2, 1, 1]);
        assert_eq!(last(&window, 6, 5), [1, 1, 0, 1], "not of the future");
        assert_eq!(last(&window, 361, 360), [2, 2, 1, 1]);
        assert_eq!(last(&window, 400, 360), [0; 4]);
        // A minute is reused.
        window.count(MINUTES * MINUTE_NS, MS, false);
        assert_eq!(last(&window, MINUTES, 360), [3, 2, 1, 1]);
        let mut total = SloCounts::default();
        window.add_total(&mut total);
        assert_eq!(total, [4, 2, 1, 1]);
    }
}
