//! The time by which entries expire.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// When an entry that stays for good expires.
pub(super) const NEVER: u64 = u64::MAX;

/// Tells the time, in milliseconds since the Unix epoch.
#[derive(Clone)]
pub(super) struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// The wall clock as it was when the store was opened, and the monotonic clock since: a step of the wall clock
    /// neither ends a window early nor keeps it open.
    pub(super) fn real() -> Self {
        let (opened, wall) =
            (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        Self::new(move || wall + opened.elapsed())
    }

    /// A clock that calls a function for the time since the Unix epoch.
    pub(super) fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(move || u64::try_from(now().as_millis()).unwrap_or(NEVER - 1).min(NEVER - 1)))
    }

    pub(super) fn now_ms(&self) -> u64 {
        (self.0)()
    }

    /// Whether what expires then has expired. What stays for good costs no look at the clock.
    pub(super) fn is_past(&self, expires_ms: u64) -> bool {
        expires_ms != NEVER && self.now_ms() >= expires_ms
    }

    /// When what is written now expires.
    pub(super) fn after(&self, expires_in_ms: Option<u64>) -> u64 {
        expires_in_ms.map_or(NEVER, |time| self.now_ms().saturating_add(time))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
