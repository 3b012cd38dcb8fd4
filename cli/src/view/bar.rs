//! Bars: a period of time drawn to scale, in eighths of a column.

const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Draws a period of time (start, length) on `columns` columns that represent `total`. A period that starts later is empty;
/// any other is at least the thinnest line.
pub(crate) fn bar(period: (u64, u64), total: u64, columns: usize) -> String {
    let (start, len) = period;
    if total == 0 || columns == 0 || start > total {
        return String::new();
    }
    let scale = |at: u64| -> u128 { u128::from(at.min(total)) * columns as u128 * 8 / u128::from(total) };
    let (from, to) = (scale(start), scale(start.saturating_add(len)));
    // A block fills its column from the left.
    let column = ((from / 8) as usize).min(columns - 1);
    // A shorter period than a column keeps its length, a longer one its end.
    let ends = to.saturating_sub(column as u128 * 8);
    let eighths = if to - from < 8 { to - from } else { ends };
    let eighths = (eighths as usize).clamp(1, (columns - column) * 8);
    let mut out = " ".repeat(column);
    out.push_str(&"█".repeat(eighths / 8));
    out.push_str(EIGHTHS[eighths % 8]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_to_scale_and_never_too_long() {
        for (period, wanted) in [
            ((0, 100), "██████████"),
            ((0, 0), "▏"),
            ((0, 25), "██▌"),
            ((29, 1), "  ▏"),
            ((50, 50), "     █████"),
            ((55, 30), "     ███▌"),
            ((100, 0), "         ▏"),
            ((95, u64::MAX), "         ▌"),
            ((101, 1), ""),
        ] {
            let got = bar(period, 100, 10);
            assert_eq!(got, wanted, "{period:?}");
            assert!(got.chars().count() <= 10);
        }
        assert_eq!(bar((0, 1), 0, 10), "");
        assert_eq!(bar((u64::MAX, u64::MAX), u64::MAX, 10).chars().count(), 10);
    }
}
