//! Clock and times by which entries expire.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Expiry time of an entry that does not expire.
pub(super) const NEVER: u64 = u64::MAX;

/// Clock that returns milliseconds since the Unix epoch.
#[derive(Clone)]
pub(in crate::effects) struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// Combines the wall clock at the time when the store was opened with the monotonic clock since then. A change of
    /// the wall clock thus neither shortens nor extends the life of an entry.
    pub(in crate::effects) fn real() -> Self {
        let (opened, wall) =
            (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        Self::new(move || wall + opened.elapsed())
    }

    /// Creates a clock from a function that returns the time since the Unix epoch.
    pub(in crate::effects) fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(move || u64::try_from(now().as_millis()).unwrap_or(NEVER - 1).min(NEVER - 1)))
    }

    pub(in crate::effects) fn now_ms(&self) -> u64 {
        (self.0)()
    }

    /// Returns true if this time has passed. Does not read the clock for [`NEVER`].
    pub(in crate::effects) fn is_past(&self, expires_ms: u64) -> bool {
        expires_ms != NEVER && self.now_ms() >= expires_ms
    }

    /// Expiry time of an entry that is written now.
    pub(in crate::effects) fn after(&self, expires_in_ms: Option<u64>) -> u64 {
        expires_in_ms.map_or(NEVER, |time| self.now_ms().saturating_add(time))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
