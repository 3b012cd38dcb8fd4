//! Points in time, relative to now or on the calendar.

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use zerver_trace::duration::HumanDuration;

/// The present, and the time zone of times without one.
#[derive(Debug, Clone)]
pub struct QueryClock {
    /// Now, in nanoseconds since the Unix epoch.
    pub now_unix_ns: u64,
    /// Time zone of the user.
    pub zone: TimeZone,
}

impl QueryClock {
    /// Creates a clock that reads calendar times as UTC.
    pub const fn utc(now_unix_ns: u64) -> Self {
        Self { now_unix_ns, zone: TimeZone::UTC }
    }

    /// Parses a time: a duration before now (`10m`), `now`, `today`, `yesterday`, a time of today (`14:30`), a day, or a
    /// day with a time, with an offset or in the zone of the clock. Returns nanoseconds since the Unix epoch.
    ///
    /// # Errors
    /// If the text is not a time. The message gives examples of times.
    pub fn parse(&self, text: &str) -> Result<u64, String> {
        if let Ok(span) = text.parse::<HumanDuration>() {
            return Ok(self.now_unix_ns.saturating_sub(span.ns));
        }
        let invalid = || {
            format!(
                "{text:?} is not a time; write one like 10m, today, 14:30, 2026-11-29 or \"2026-11-29 14:30\""
            )
        };
        if let Ok(time) = text.parse::<Timestamp>() {
            return nanos(time).ok_or_else(invalid);
        }
        let now = Timestamp::from_nanosecond(self.now_unix_ns.into()).map_err(|_| invalid())?;
        let today = now.to_zoned(self.zone.clone()).date();
        let civil: DateTime = match text.to_ascii_lowercase().as_str() {
            "now" => return Ok(self.now_unix_ns),
            "today" => today.into(),
            "yesterday" => today.checked_sub(1.day()).map_err(|_| invalid())?.into(),
            // A date alone also parses as a date and a time.
            other => match (other.parse::<DateTime>(), other.parse::<Time>()) {
                (Ok(civil), _) => civil,
                (_, Ok(time)) => today.to_datetime(time),
                _ => return Err(invalid()),
            },
        };
        let zoned = civil.to_zoned(self.zone.clone()).map_err(|_| invalid())?;
        nanos(zoned.timestamp()).ok_or_else(invalid)
    }
}

impl QueryClock {
    /// Returns a time in the zone of the clock: `10:32:05`, or `2026-11-29 10:32:05` if that is not today.
    pub fn show(&self, unix_ns: u64) -> String {
        let zoned = |ns: u64| {
            let time = Timestamp::from_nanosecond(ns.into()).unwrap_or(Timestamp::UNIX_EPOCH);
            time.to_zoned(self.zone.clone())
        };
        let (then, now) = (zoned(unix_ns), zoned(self.now_unix_ns));
        let format = if then.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
        then.strftime(format).to_string()
    }
}

fn nanos(time: Timestamp) -> Option<u64> {
    u64::try_from(time.as_nanosecond()).ok()
}
