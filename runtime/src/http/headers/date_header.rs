//! Value of the `date` header (RFC 9110, section 6.6.1), formatted at most once per second and worker. Any clock
//! reading has a date: a time before 1970 is formatted as 1970, and a time after the year 9999, which the format cannot
//! express, as the last second of that year.

use std::cell::RefCell;

use http::HeaderValue;

/// Last second of the year 9999, in seconds since 1970.
const LAST_S: u64 = 253_402_300_799;
const DAY_S: u64 = 86_400;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The most recent value of the header, and its second since 1970.
#[derive(Default)]
pub(crate) struct DateCache(RefCell<Option<(u64, HeaderValue)>>);

impl DateCache {
    pub(crate) fn at(&self, unix_ns: u64) -> HeaderValue {
        let second = (unix_ns / 1_000_000_000).min(LAST_S);
        let mut last = self.0.borrow_mut();
        match &*last {
            Some((last_second, value)) if *last_second == second => value.clone(),
            _ => {
                // The text is printable ASCII, so the conversion cannot fail.
                let value =
                    HeaderValue::try_from(format_date(second)).unwrap_or(HeaderValue::from_static(""));
                *last = Some((second, value.clone()));
                value
            }
        }
    }
}

/// Formats a time of a clock or a calendar, in seconds since 1970.
pub(crate) fn http_date(second: u64) -> String {
    format_date(second.min(LAST_S))
}

/// Formats a time as in `Sun, 06 Nov 1994 08:49:37 GMT`.
fn format_date(second: u64) -> String {
    let (days, of_day) = (second / DAY_S, second % DAY_S);
    let (year, month, day) = civil_date(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let (name, month) = (DAYS[(days % 7) as usize], MONTHS[month]);
    format!("{name}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Converts days since 1970 to a year, a month from 0 and a day from 1 of the Gregorian calendar.
fn civil_date(days: u64) -> (u64, usize, u64) {
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // The calendar repeats every 400 years.
    const SPAN_DAYS: u64 = 146_097;
    let (mut year, mut left) = (1970 + days / SPAN_DAYS * 400, days % SPAN_DAYS);
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_time_has_a_date() {
        let check = |second: u64, expected: &str| {
            let date = DateCache::default();
            for _ in 0..2 {
                assert_eq!(
                    date.at(second.saturating_mul(1_000_000_000).saturating_add(999_999_999)),
                    expected
                );
            }
        };
        check(0, "Thu, 01 Jan 1970 00:00:00 GMT");
        check(784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT");
        check(951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT");
        check(1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT");
        check(4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT");
        check(4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT");
        assert_eq!(format_date(LAST_S), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(format_date(13_569_465_600), "Sat, 01 Jan 2400 00:00:00 GMT");
        // The latest time that fits into nanoseconds.
        assert_eq!(DateCache::default().at(u64::MAX), "Sun, 21 Jul 2554 23:34:33 GMT");
        let date = DateCache::default();
        assert_ne!(date.at(1_000_000_000), date.at(2_000_000_000), "a later second has a different date");
    }
}
