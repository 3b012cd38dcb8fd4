//! Durations: as people type them, and as they are shown.

mod unit;

use std::str::FromStr;

pub use unit::Unit;

const UNITS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
const DAY_NS: u64 = 24 * 3_600_000_000_000;

/// A length of time, such as `10ms`, `1.5s`, `1h30m`, `2d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// How long, in nanoseconds.
    pub ns: u64,
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
            let unit_ns = unit_ns(unit).ok_or_else(wrong)?;
            ns = scaled(number, unit_ns).and_then(|more| ns.checked_add(more)).ok_or_else(wrong)?;
            rest = tail;
        }
        if text.is_empty() { Err(wrong()) } else { Ok(Self { ns }) }
    }
}

fn unit_ns(unit: &str) -> Option<u64> {
    if unit == "d" {
        return Some(DAY_NS);
    }
    UNITS.iter().find(|(name, _)| *name == unit).map(|(_, ns)| *ns)
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

/// For a list: `840 ns`, `12.3 µs`, `5.40 ms`, `1.20 s`, `3m 05s`.
pub fn show(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..999_950 => format!("{:.1} µs", ns as f64 / 1e3),
        999_950..999_995_000 => format!("{:.2} ms", ns as f64 / 1e6),
        999_995_000..60_000_000_000 => format!("{:.2} s", ns as f64 / 1e9),
        _ => {
            let seconds = ns / 1_000_000_000;
            match seconds {
                0..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
                _ => format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60),
            }
        }
    }
}

/// How long ago something was, roughly: `now`, `12s`, `5m`, `3h`, `2d`.
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
    fn durations_are_shown() {
        for (ns, wanted) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.0 µs"),
            (999_949, "999.9 µs"),
            (999_950, "1.00 ms"),
            (5_400_000, "5.40 ms"),
            (999_994_999, "999.99 ms"),
            (999_995_000, "1.00 s"),
            (185_000_000_000, "3m 05s"),
            (7_380_000_000_000, "2h 03m"),
        ] {
            assert_eq!(show(ns), wanted);
        }
        assert_eq!(age(5, 10), "now");
        assert_eq!(age(200_000_000_000_000, 0), "2d");
    }
}
