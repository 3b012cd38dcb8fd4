//! Time: one monotonic clock for everything that is measured, and the wall clock that goes with it.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often the wall clock is looked at.
const SYNC: Duration = Duration::from_secs(1);

/// A smaller difference between the clocks is no step, but the time between two looks.
const STEP_NS: u64 = 10_000_000;

/// What the wall clock showed when the monotonic one stood at `zero`; shared by all workers.
pub(crate) struct ServiceClock {
    instant: Instant,
    /// As the wall clock has it now.
    unix_ns: AtomicU64,
    /// The greatest that `unix_ns` has been: what ids are made from, so that they never run backwards.
    greatest_unix_ns: AtomicU64,
    /// Where the monotonic clock stands still.
    #[cfg(test)]
    still_ns: Option<u64>,
}

/// A moment on the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WallTime {
    /// Nanoseconds since the Unix epoch.
    pub(crate) unix_ns: u64,
    /// The same, but for steps backwards.
    pub(crate) ordered_ns: u64,
}

impl ServiceClock {
    pub(crate) fn now() -> Self {
        let instant = Instant::now();
        let unix_ns = unix_now_ns();
        Self {
            instant,
            unix_ns: unix_ns.into(),
            greatest_unix_ns: unix_ns.into(),
            #[cfg(test)]
            still_ns: None,
        }
    }

    /// As of a service that has run for an hour. From then on no time passes, however slow the machine is.
    #[cfg(test)]
    pub(crate) fn still_after_an_hour() -> Self {
        Self { still_ns: Some(3_600_000_000_000), ..Self::now() }
    }

    /// How long ago zero was.
    pub(crate) fn elapsed_ns(&self) -> u64 {
        #[cfg(test)]
        if let Some(still_ns) = self.still_ns {
            return still_ns;
        }
        nanos(self.instant.elapsed())
    }

    /// How long after zero that was.
    pub(crate) fn since_ns(&self, at: Instant) -> u64 {
        nanos(at.saturating_duration_since(self.instant))
    }

    /// Takes in what the wall clock shows at `at_ns` after zero.
    fn sync(&self, at_ns: u64, unix_now_ns: u64) {
        let unix_ns = unix_now_ns.saturating_sub(at_ns);
        if unix_ns.abs_diff(self.unix_ns.load(Ordering::Relaxed)) > STEP_NS {
            self.unix_ns.store(unix_ns, Ordering::Relaxed);
            self.greatest_unix_ns.fetch_max(unix_ns, Ordering::Relaxed);
        }
    }

    fn wall(&self, at_ns: u64) -> WallTime {
        WallTime {
            unix_ns: self.unix_ns.load(Ordering::Relaxed).saturating_add(at_ns),
            ordered_ns: self.greatest_unix_ns.load(Ordering::Relaxed).saturating_add(at_ns),
        }
    }
}

/// A worker's way to tell the wall clock's time without asking the system for it.
pub(crate) struct WorkerClock {
    zero: std::sync::Arc<ServiceClock>,
    next_sync_ns: Cell<u64>,
}

impl WorkerClock {
    pub(crate) fn new(zero: std::sync::Arc<ServiceClock>) -> Self {
        Self { zero, next_sync_ns: Cell::new(0) }
    }

    /// Also how long after zero that was.
    pub(crate) fn wall(&self, at: Instant) -> (WallTime, u64) {
        let at_ns = self.zero.since_ns(at);
        if at_ns >= self.next_sync_ns.get() {
            self.next_sync_ns.set(at_ns + nanos(SYNC));
            self.zero.sync(self.zero.elapsed_ns(), unix_now_ns());
        }
        (self.zero.wall(at_ns), at_ns)
    }
}

/// Nanoseconds since a request's head had arrived. Asked once for each boundary, and remembered in between.
pub(crate) struct Stopwatch {
    start: Instant,
    now_ns: u64,
}

impl Stopwatch {
    pub(crate) const fn since(start: Instant) -> Self {
        Self { start, now_ns: 0 }
    }

    /// Looks at the clock.
    pub(crate) fn tick(&mut self) -> u64 {
        self.now_ns = nanos(self.start.elapsed());
        self.now_ns
    }

    /// What it showed when it was last looked at.
    pub(crate) const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Leaves out what has passed since then: it was not the request's time.
    pub(crate) fn leave_out(&mut self, since: Instant) {
        self.start += since.elapsed();
    }

    /// The same as an instant.
    pub(crate) fn now(&self) -> Instant {
        self.at(self.now_ns)
    }

    /// What it showed, or would have shown, at an instant.
    pub(crate) fn since_start_ns(&self, at: Instant) -> u64 {
        nanos(at.saturating_duration_since(self.start))
    }

    pub(crate) fn at(&self, ns: u64) -> Instant {
        self.start + Duration::from_nanos(ns)
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()))
}

fn unix_now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_NS: u64 = 3_600_000_000_000;

    fn zero(unix_ns: u64) -> ServiceClock {
        ServiceClock { unix_ns: unix_ns.into(), greatest_unix_ns: unix_ns.into(), ..ServiceClock::now() }
    }

    #[test]
    fn the_wall_clock_is_followed_and_the_order_kept() {
        let zero = zero(10 * HOUR_NS);
        zero.sync(5, 10 * HOUR_NS + 9);
        assert_eq!(zero.wall(5), WallTime { unix_ns: 10 * HOUR_NS + 5, ordered_ns: 10 * HOUR_NS + 5 });
        zero.sync(5, 9 * HOUR_NS + 5);
        assert_eq!(zero.wall(6), WallTime { unix_ns: 9 * HOUR_NS + 6, ordered_ns: 10 * HOUR_NS + 6 });
        zero.sync(7, 12 * HOUR_NS + 7);
        assert_eq!(zero.wall(8), WallTime { unix_ns: 12 * HOUR_NS + 8, ordered_ns: 12 * HOUR_NS + 8 });
    }
}
