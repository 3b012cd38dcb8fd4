//! Lengths of time, as people type them.

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

/// A length of time, such as `10ms`, `1.5s`, `1h30m`, `2d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// In nanoseconds.
    pub ns: u64,
}

/// In the largest unit in which it is a whole number.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, unit_ns): &&(&str, u64)| self.ns >= *unit_ns && self.ns.is_multiple_of(*unit_ns);
        match UNITS.iter().find(whole) {
            Some((unit, unit_ns)) => write!(f, "{}{unit}", self.ns / unit_ns),
            None => f.write_str("0s"),
        }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no duration; write one like 10ms, 1.5s, 5m, 1h30m or 2d");
        let mut rest = text;
        let mut ns = 0u64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            ns = scaled(number, *unit_ns).and_then(|more| ns.checked_add(more)).ok_or_else(wrong)?;
            rest = tail;
        }
        if text.is_empty() { Err(wrong()) } else { Ok(Self { ns }) }
    }
}

/// `number` (digits with at most one point) times `unit_ns`, exact to the nanosecond.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, ns) in [
            ("0s", 0),
            ("10ms", 10_000_000),
            ("1.5s", 1_500_000_000),
            ("0.000000001s", 1),
            ("250us", 250_000),
            ("1h30m", 5_400_000_000_000),
            ("2d", 172_800_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Span { ns }), "{text}");
        }
        for text in ["", "10", "ms", "-5m", "1.s", ".5s", "1..2s", "5 m", "1x", "99999999999d", "1e3s"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_written_so_that_they_can_be_read() {
        for (ns, text) in [(0, "0s"), (1, "1ns"), (2_500_000, "2500us"), (60_000_000_000, "1m")] {
            assert_eq!(Span { ns }.to_string(), text);
            assert_eq!(text.parse(), Ok(Span { ns }));
        }
    }
}
