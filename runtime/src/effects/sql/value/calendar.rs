//! Timestamps, dates and times of day, in the proleptic Gregorian calendar and in UTC.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::ParseValueError;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Time in UTC, in microseconds since the Unix epoch; negative before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Day, as the number of days since 1970-01-01; negative before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

/// Time of day, in microseconds since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Timestamp {
    /// Later than any other timestamp: `infinity` in PostgreSQL.
    pub const INFINITY: Self = Self(i64::MAX);
    /// Earlier than any other timestamp: `-infinity` in PostgreSQL.
    pub const NEG_INFINITY: Self = Self(i64::MIN);

    /// Returns the time as a [`SystemTime`], or `None` if it is out of the range of that.
    pub fn to_system_time(self) -> Option<SystemTime> {
        let distance = Duration::from_micros(self.0.unsigned_abs());
        if self.0 < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
    }
}

impl Date {
    /// Later than any other day: `infinity` in PostgreSQL.
    pub const INFINITY: Self = Self(i32::MAX);
    /// Earlier than any other day: `-infinity` in PostgreSQL.
    pub const NEG_INFINITY: Self = Self(i32::MIN);

    /// Creates a day, or returns `None` if the calendar does not have it. The year before 1 is 0.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        let date = Self(i32::try_from(days_from_civil(year.into(), month.into(), day.into())).ok()?);
        let is_valid = (1..=12).contains(&month) && day >= 1;
        (is_valid && date.civil() == (year.into(), month.into(), day.into())).then_some(date)
    }

    /// Returns year, month and day.
    pub fn civil(self) -> (i64, i64, i64) {
        civil_from_days(self.0.into())
    }
}

/// Fractions of a microsecond are cut off, towards the past. A time out of range becomes an infinity.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).map_or(Self::INFINITY, Self),
            Err(before) => i64::try_from(before.duration().as_nanos().div_ceil(1000))
                .map_or(Self::NEG_INFINITY, |micros| Self(-micros)),
        }
    }
}

/// Days since 1970-01-01. Years are shifted to begin in March, so that a leap day is the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Writes `2026-11-29T15:12:44.123456Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::INFINITY => f.write_str("infinity"),
            Self::NEG_INFINITY => f.write_str("-infinity"),
            Self(micros) => {
                let (year, month, day) = civil_from_days(micros.div_euclid(MICROS_PER_DAY));
                let mut text = ShortText::new();
                text.push_day(year, month, day);
                text.push(b'T');
                text.push_time(micros.rem_euclid(MICROS_PER_DAY).unsigned_abs());
                text.push(b'Z');
                f.write_str(text.as_str())
            }
        }
    }
}

/// Writes `2026-11-29`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::INFINITY => f.write_str("infinity"),
            Self::NEG_INFINITY => f.write_str("-infinity"),
            date => {
                let ((year, month, day), mut text) = (date.civil(), ShortText::new());
                text.push_day(year, month, day);
                f.write_str(text.as_str())
            }
        }
    }
}

/// Writes `15:12:44` or `15:12:44.123456`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = ShortText::new();
        if self.0 < 0 {
            text.push(b'-');
        }
        text.push_time(self.0.unsigned_abs());
        f.write_str(text.as_str())
    }
}

/// A text that is put together digit by digit. A result has many times, and formatting macros take several times as long.
struct ShortText {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl ShortText {
    /// More than the longest time takes, with a year of six digits and a sign.
    const CAPACITY: usize = 48;

    const fn new() -> Self {
        Self { bytes: [0; Self::CAPACITY], len: 0 }
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    /// Writes a number with at least this many digits.
    fn push_number(&mut self, number: u64, min_digits: usize) {
        let mut digits = min_digits;
        while digits < 20 && number >= 10_u64.pow(digits as u32) {
            digits += 1;
        }
        let mut rest = number;
        for place in self.bytes[self.len..self.len + digits].iter_mut().rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.len += digits;
    }

    fn push_day(&mut self, year: i64, month: i64, day: i64) {
        if year < 0 {
            self.push(b'-');
        }
        self.push_number(year.unsigned_abs(), 4);
        for part in [month, day] {
            self.push(b'-');
            self.push_number(part.unsigned_abs(), 2);
        }
    }

    fn push_time(&mut self, micros: u64) {
        let seconds = micros / MICROS_PER_SECOND as u64;
        self.push_number(seconds / 3600, 2);
        for part in [seconds / 60 % 60, seconds % 60] {
            self.push(b':');
            self.push_number(part, 2);
        }
        let fraction = micros % MICROS_PER_SECOND as u64;
        if fraction > 0 {
            self.push(b'.');
            self.push_number(fraction, 6);
            while self.bytes[self.len - 1] == b'0' {
                self.len -= 1;
            }
        }
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

/// Parses the form of RFC 3339. A blank may take the place of `T`, and a time without an offset is in UTC.
impl FromStr for Timestamp {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, ParseValueError> {
        match text {
            "infinity" => return Ok(Self::INFINITY),
            "-infinity" => return Ok(Self::NEG_INFINITY),
            _ => {}
        }
        parse_timestamp(text).ok_or_else(|| ParseValueError::new(text, "a timestamp"))
    }
}

fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let (day, rest) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00:00"));
    let days = i64::from(day.parse::<Date>().ok()?.0);
    let (time, offset_seconds) = match rest.find(['Z', 'z', '+', '-']) {
        None => (rest, 0),
        Some(at) => (&rest[..at], parse_offset(&rest[at..])?),
    };
    let time = time.parse::<Time>().ok()?.0;
    let micros = days.checked_mul(MICROS_PER_DAY)?.checked_add(time)?;
    micros.checked_sub(offset_seconds * MICROS_PER_SECOND).map(Timestamp)
}

/// Returns the seconds of `Z`, `+02`, `+0200` or `+02:00`.
fn parse_offset(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits)?, 0),
        4 => (number(&digits[..2])?, number(&digits[2..])?),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

impl FromStr for Date {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, ParseValueError> {
        match text {
            "infinity" => return Ok(Self::INFINITY),
            "-infinity" => return Ok(Self::NEG_INFINITY),
            _ => {}
        }
        parse_date(text).ok_or_else(|| ParseValueError::new(text, "a date"))
    }
}

fn parse_date(text: &str) -> Option<Date> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let mut parts = digits.split('-');
    let year = sign * i32::try_from(number(parts.next().filter(|year| year.len() >= 4)?)?).ok()?;
    let mut two_digits = || u8::try_from(number(parts.next().filter(|part| part.len() == 2)?)?).ok();
    let (month, day) = (two_digits()?, two_digits()?);
    parts.next().is_none().then(|| Date::new(year, month, day)).flatten()
}

impl FromStr for Time {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, ParseValueError> {
        parse_time(text).ok_or_else(|| ParseValueError::new(text, "a time of day"))
    }
}

fn parse_time(text: &str) -> Option<Time> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = clock.split(':');
    let mut two_digits = || number(parts.next().filter(|part| part.len() == 2)?);
    let (hours, minutes) = (two_digits()?, two_digits()?);
    let seconds = if clock.len() > 5 { two_digits()? } else { 0 };
    // Digits beyond microseconds are cut off, as databases with that precision do.
    let shown: String = fraction.chars().chain(std::iter::repeat('0')).take(6).collect();
    let is_valid = number(fraction).is_some() && parts.next().is_none() && minutes <= 59 && seconds <= 59;
    let micros = (hours * 3600 + minutes * 60 + seconds) * MICROS_PER_SECOND + number(&shown)?;
    // PostgreSQL allows 24:00:00.
    (is_valid && micros <= MICROS_PER_DAY).then_some(Time(micros))
}

/// Parses digits only: no sign, no blanks.
fn number(digits: &str) -> Option<i64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_parsed_without_loss() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_796_051_564_120_000, "2026-11-30T15:12:44.12Z"),
            (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
            (-62_167_219_200_000_000, "0000-01-01T00:00:00Z"),
            (-210_866_803_200_000_000, "-4713-11-24T00:00:00Z"),
            (253_402_300_800_000_000, "10000-01-01T00:00:00Z"),
        ] {
            let time = Timestamp(micros);
            assert_eq!(time.to_string(), text, "{micros}");
            assert_eq!(text.parse(), Ok(time), "{text}");
        }
        for (time, text) in
            [(0, "00:00:00"), (86_400_000_000, "24:00:00"), (1, "00:00:00.000001"), (-1, "-00:00:00.000001")]
        {
            assert_eq!(Time(time).to_string(), text);
        }
        assert_eq!(Timestamp(i64::MAX - 1).to_string(), "294247-01-10T04:00:54.775806Z");
        assert_eq!(Date(i32::MIN + 1).to_string(), "-5877641-06-24");
        assert_eq!(Time(i64::MIN).to_string(), "-2562047788:00:54.775808");
        for day in (-800_000..800_000).step_by(997) {
            let date = Date(day);
            assert_eq!(date.to_string().parse(), Ok(date));
        }
        assert_eq!("2026-11-29 15:00+02".parse(), Ok(Timestamp(1_795_957_200_000_000)));
        assert_eq!("2024-02-29".parse(), Ok(Date::new(2024, 2, 29).unwrap()));
        for text in ["", "2023-02-29", "2026-13-01", "2026-1-1", "26-01-01", "2026-01-01T24:00:01Z", "x"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        for text in ["24:00:01", "1:00:00", "10:60", "10:00:00.", "10:00:00.1x", ""] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_of_the_system_is_rounded_to_the_past() {
        let before = UNIX_EPOCH - Duration::from_nanos(1);
        assert_eq!(Timestamp::from(before), Timestamp(-1));
        assert_eq!(Timestamp::from(UNIX_EPOCH + Duration::from_nanos(1999)), Timestamp(1));
        assert_eq!(Timestamp(-5).to_system_time(), Some(UNIX_EPOCH - Duration::from_micros(5)));
    }
}
