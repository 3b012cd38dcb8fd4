//! Days of the calendar, which are checked at compile time.

use std::fmt;

use super::step_order::Message;

/// A day of the Gregorian calendar, which begins at 00:00 UTC.
///
/// ```
/// use zerver_engine::Date;
///
/// const END: Date = Date::parse("2027-03-01");
/// assert_eq!(END.to_string(), "2027-03-01");
/// assert_eq!(END.unix_seconds(), 1_803_859_200);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    unix_days: u32,
    text: &'static str,
}

impl Date {
    /// Parses a day from 1970 to 2999, written as `YYYY-MM-DD`.
    ///
    /// # Panics
    /// If the text is something else. In a constant, this is a compile error.
    #[track_caller]
    pub const fn parse(text: &'static str) -> Self {
        match unix_days(text.as_bytes()) {
            Some(unix_days) => Self { unix_days, text },
            None => Message::new("`").add(text).add("` is not a date: write a day as YYYY-MM-DD").fail(),
        }
    }

    /// Returns its beginning, in seconds since 1970.
    pub const fn unix_seconds(self) -> u64 {
        self.unix_days as u64 * 86_400
    }

    /// Returns true if it precedes the other day.
    pub(super) const fn is_before(self, other: Self) -> bool {
        self.unix_days < other.unix_days
    }
}

/// Writes it as `YYYY-MM-DD`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// Returns the number of days since 1970.
const fn unix_days(text: &[u8]) -> Option<u32> {
    if text.len() != 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let (Some(year), Some(month), Some(day)) = (number(text, 0, 4), number(text, 5, 7), number(text, 8, 10))
    else {
        return None;
    };
    if year < 1970 || year > 2999 || month == 0 || month > 12 || day == 0 || day > month_len(year, month) {
        return None;
    }
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let mut days = (year - 1970) * 365 + leap_days + day - 1;
    let mut at = 1;
    while at < month {
        days += month_len(year, at);
        at += 1;
    }
    Some(days)
}

const fn number(text: &[u8], from: usize, to: usize) -> Option<u32> {
    let (mut at, mut number) = (from, 0);
    while at < to {
        if !text[at].is_ascii_digit() {
            return None;
        }
        number = number * 10 + (text[at] - b'0') as u32;
        at += 1;
    }
    Some(number)
}

const fn month_len(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        let days = |text: &str| unix_days(text.as_bytes());
        assert_eq!(days("1970-01-01"), Some(0));
        assert_eq!(days("1972-02-29"), Some(789));
        assert_eq!(days("2000-02-29"), Some(11_016));
        assert_eq!(days("2000-03-01"), Some(11_017));
        assert_eq!(days("2027-03-01"), Some(20_878));
        assert_eq!(days("2100-03-01"), Some(47_541));
        assert_eq!(Date::parse("2027-03-01").unix_seconds(), 20_878 * 86_400);
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in ["", "2027-3-1", "2027-02-29", "2100-02-29", "2027-13-01", "2027-00-01", "2027-04-31"] {
            assert_eq!(unix_days(text.as_bytes()), None, "{text}");
        }
        for text in ["1969-12-31", "3000-01-01", "2027/03/01", "2027-03-0x", "2027-03-00", "+027-03-01"] {
            assert_eq!(unix_days(text.as_bytes()), None, "{text}");
        }
    }
}
