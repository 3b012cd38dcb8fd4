//! Clocks: one monotonic clock for all measurements, and the wall time that is derived from it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time between two readings of the wall clock.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Smallest difference between the clocks that counts as a step of the wall clock. The clocks are not read at the same
/// instant, which explains smaller differences.
const MIN_STEP_NS: u64 = 10_000_000;

/// The monotonic clock of a service, and its relation to the wall clock. Shared by all workers.
pub(crate) struct ServiceClock {
    /// Zero of the clock.
    start: Instant,
    /// Unix time of `start`, according to the last reading of the wall clock.
    unix_ns: AtomicU64,
    /// Highest value that `unix_ns` has had. Request IDs are made from it, so that they never run backwards.
    highest_unix_ns: AtomicU64,
    /// Time at which a test has stopped the monotonic clock.
    #[cfg(test)]
    stopped_ns: Option<u64>,
}

/// A time of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WallTime {
    /// Nanoseconds since the Unix epoch.
    pub(crate) unix_ns: u64,
    /// The same time, without steps backwards of the wall clock.
    pub(crate) ordered_ns: u64,
}

impl ServiceClock {
    pub(crate) fn now() -> Self {
        let start = Instant::now();
        let unix_ns = unix_now_ns();
        Self {
            start,
            unix_ns: unix_ns.into(),
            highest_unix_ns: unix_ns.into(),
            #[cfg(test)]
            stopped_ns: None,
        }
    }

    /// Creates the clock of a service that has run for an hour. It is stopped, so that tests do not depend on the speed of
    /// the machine.
    #[cfg(test)]
    pub(crate) fn stopped_after_an_hour() -> Self {
        Self { stopped_ns: Some(3_600_000_000_000), ..Self::now() }
    }

    /// Returns the time since zero.
    pub(crate) fn elapsed_ns(&self) -> u64 {
        #[cfg(test)]
        if let Some(stopped_ns) = self.stopped_ns {
            return stopped_ns;
        }
        nanos(self.start.elapsed())
    }

    /// Converts an instant to the time since zero.
    pub(crate) fn since_ns(&self, at: Instant) -> u64 {
        nanos(at.saturating_duration_since(self.start))
    }

    /// Applies a reading of the wall clock that was taken at `at_ns`.
    fn sync(&self, at_ns: u64, unix_now_ns: u64) {
        let unix_ns = unix_now_ns.saturating_sub(at_ns);
        if unix_ns.abs_diff(self.unix_ns.load(Ordering::Relaxed)) > MIN_STEP_NS {
            self.unix_ns.store(unix_ns, Ordering::Relaxed);
            self.highest_unix_ns.fetch_max(unix_ns, Ordering::Relaxed);
        }
    }

    fn wall(&self, at_ns: u64) -> WallTime {
        WallTime {
            unix_ns: self.unix_ns.load(Ordering::Relaxed).saturating_add(at_ns),
            ordered_ns: self.highest_unix_ns.load(Ordering::Relaxed).saturating_add(at_ns),
        }
    }
}

/// Computes the wall time on one worker, which reads the system's wall clock only once per second.
pub(crate) struct WorkerClock {
    service_clock: Arc<ServiceClock>,
    next_sync_ns: Cell<u64>,
}

impl WorkerClock {
    pub(crate) fn new(service_clock: Arc<ServiceClock>) -> Self {
        Self { service_clock, next_sync_ns: Cell::new(0) }
    }

    /// Converts an instant to the wall time, and to the time since the zero of the service's clock.
    pub(crate) fn wall(&self, at: Instant) -> (WallTime, u64) {
        let at_ns = self.service_clock.since_ns(at);
        if at_ns >= self.next_sync_ns.get() {
            self.next_sync_ns.set(at_ns + nanos(SYNC_INTERVAL));
            self.service_clock.sync(self.service_clock.elapsed_ns(), unix_now_ns());
        }
        (self.service_clock.wall(at_ns), at_ns)
    }
}

/// Measures the time since the arrival of a request's head, in nanoseconds. The clock is read once per boundary, and the
/// reading is reused in between.
#[derive(Clone)]
pub(crate) struct Stopwatch {
    start: Instant,
    now_ns: u64,
}

impl Stopwatch {
    pub(crate) const fn since(start: Instant) -> Self {
        Self { start, now_ns: 0 }
    }

    /// Reads the clock and returns the new time.
    pub(crate) fn tick(&mut self) -> u64 {
        self.now_ns = nanos(self.start.elapsed());
        self.now_ns
    }

    /// Returns the last reading.
    pub(crate) const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Excludes the time that has passed since `since`, because it was not spent on the request.
    pub(crate) fn leave_out(&mut self, since: Instant) {
        self.start += since.elapsed();
    }

    /// Returns the last reading as an instant.
    pub(crate) fn now(&self) -> Instant {
        self.at(self.now_ns)
    }

    /// Converts an instant to the time since the arrival of the head.
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

/// Reads the wall clock of the system.
pub(crate) fn wall_now() -> SystemTime {
    SystemTime::now()
}

fn unix_now_ns() -> u64 {
    wall_now().duration_since(UNIX_EPOCH).map_or(0, nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_NS: u64 = 3_600_000_000_000;

    fn service_clock(unix_ns: u64) -> ServiceClock {
        ServiceClock { unix_ns: unix_ns.into(), highest_unix_ns: unix_ns.into(), ..ServiceClock::now() }
    }

    #[test]
    fn wall_times_follow_the_system_and_ordered_times_never_decrease() {
        let clock = service_clock(10 * HOUR_NS);
        clock.sync(5, 10 * HOUR_NS + 9);
        assert_eq!(clock.wall(5), WallTime { unix_ns: 10 * HOUR_NS + 5, ordered_ns: 10 * HOUR_NS + 5 });
        clock.sync(5, 9 * HOUR_NS + 5);
        assert_eq!(clock.wall(6), WallTime { unix_ns: 9 * HOUR_NS + 6, ordered_ns: 10 * HOUR_NS + 6 });
        clock.sync(7, 12 * HOUR_NS + 7);
        assert_eq!(clock.wall(8), WallTime { unix_ns: 12 * HOUR_NS + 8, ordered_ns: 12 * HOUR_NS + 8 });
    }
}
