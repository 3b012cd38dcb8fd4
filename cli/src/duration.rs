//! Durations, as they are shown.

pub(crate) use zerver_replay::Span;

/// For a list: `840 ns`, `12.3 µs`, `5.40 ms`, `1.20 s`, `3m 05s`.
pub(crate) fn show(ns: u64) -> String {
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
pub(crate) fn age(now_unix_ns: u64, then_unix_ns: u64) -> String {
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
