//! Durations as text.

use std::fmt;
use std::str::FromStr;

const UNITS: [(&str, u64); 8] = [
    ("d", 24 * 3_600_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
    ("µs", 1_000),
];

/// A duration that users write and read, such as `10ms`, `1.5s`, `1h30m`, `2d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HumanDuration {
    /// Length in nanoseconds.
    pub ns: u64,
}

/// Writes the duration in the largest unit in which it is a whole number.
impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, unit_ns): &&(&str, u64)| self.ns >= *unit_ns && self.ns.is_multiple_of(*unit_ns);
        match UNITS.iter().find(whole) {
            Some((unit, unit_ns)) => write!(f, "{}{unit}", self.ns / unit_ns),
            None => f.write_str("0s"),
        }
    }
}

impl FromStr for HumanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("{text:?} is not a duration; write one like 10ms, 1.5s, 5m, 1h30m or 2d");
        let mut rest = text;
        let mut ns = 0u64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(invalid)?;
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?;
            ns = scaled(number, *unit_ns).and_then(|more| ns.checked_add(more)).ok_or_else(invalid)?;
            rest = tail;
        }
        if text.is_empty() { Err(invalid()) } else { Ok(Self { ns }) }
    }
}

/// Multiplies `number` (digits with at most one decimal point) by `unit_ns`, exactly to the nanosecond.
fn scaled(number: &str, unit_ns: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().ok()?;
    let mut ns = whole.checked_mul(unit_ns)?;
    let mut step = unit_ns;
    for digit in part.chars() {
        step /= 10;
        ns = ns.checked_add(step.checked_mul(digit.to_digit(10)?.into())?)?;
    }
    if part.is_empty() { None } else { Some(ns) }
}

/// Formats the approximate time between two moments: `now`, `12s`, `5m`, `3h`, `2d`.
pub fn age(now_unix_ns: u64, then_unix_ns: u64) -> String {
    let seconds = now_unix_ns.saturating_sub(then_unix_ns) / 1_000_000_000;
    match seconds {
        0 => "now".to_owned(),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_approximate() {
        assert_eq!(age(5, 10), "now");
        assert_eq!(age(200_000_000_000_000, 0), "2d");
    }

    #[test]
    fn a_formatted_duration_parses_back() {
        for (ns, text) in [(0, "0s"), (1, "1ns"), (2_500_000, "2500us"), (60_000_000_000, "1m")] {
            assert_eq!(HumanDuration { ns }.to_string(), text);
            assert_eq!(text.parse(), Ok(HumanDuration { ns }));
        }
    }
}
