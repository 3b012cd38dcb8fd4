//! The wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use zerver_analysis::QueryClock;

/// Returns the current time in nanoseconds since the Unix epoch.
pub(crate) fn now_unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Returns the present, in the time zone of the user (`TZ`, or that of the system).
pub(crate) fn local_clock() -> QueryClock {
    QueryClock { now_unix_ns: now_unix_ns(), zone: jiff::tz::TimeZone::system() }
}
