//! Rate limit: spaces calls so that a target gets no more than it allows.

use super::time_units::S;

/// A number of calls per second, of which some may be made at once. It is the generic cell rate algorithm: the state is
/// one time, and a call that has to wait is given its place in line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// Time between two calls.
    interval_ns: u64,
    /// Time by which calls may be early.
    tolerance_ns: u64,
    /// Time at which the next call is due if calls are evenly spaced.
    due_ns: u64,
}

/// A call that would have to wait for longer than it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateExceeded {
    /// Time that the call would have to wait, in nanoseconds.
    pub wait_ns: u64,
}

impl RateLimit {
    /// Creates a limit of `rate` calls per second, of which `burst` may be made at once. Returns `None` if the rate is
    /// not positive, which means no limit.
    pub fn new(rate: f64, burst: u32) -> Option<Self> {
        let interval_ns = (S as f64 / rate.max(0.0)).round();
        (rate > 0.0).then(|| {
            let interval_ns = (interval_ns as u64).max(1);
            let tolerance_ns = interval_ns.saturating_mul(u64::from(burst.max(1) - 1));
            Self { interval_ns, tolerance_ns, due_ns: 0 }
        })
    }

    /// Changes rate and burst, and keeps the places that were given.
    #[must_use]
    pub fn with(self, rate: f64, burst: u32) -> Option<Self> {
        Some(Self { due_ns: self.due_ns, ..Self::new(rate, burst)? })
    }

    /// Gives a call its place. Returns the time that it has to wait, in nanoseconds.
    ///
    /// # Errors
    /// The call would have to wait for longer than `max_wait_ns`. It is given no place then.
    pub fn reserve(&mut self, now_ns: u64, max_wait_ns: u64) -> Result<u64, RateExceeded> {
        let due_ns = self.due_ns.max(now_ns);
        let wait_ns = due_ns.saturating_sub(now_ns.saturating_add(self.tolerance_ns));
        if wait_ns > max_wait_ns {
            return Err(RateExceeded { wait_ns });
        }
        self.due_ns = due_ns.saturating_add(self.interval_ns);
        Ok(wait_ns)
    }
}
