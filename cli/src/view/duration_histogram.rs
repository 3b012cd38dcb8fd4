//! Numbers of requests by duration, one line for each interval.

use zerver_analysis::DurationBucket;
use zerver_trace::duration;

use super::bar::bar;
use super::style;
use super::table::{Column, Table};

/// Maximum width of a bar, in columns.
const MAX_BAR: usize = 60;
/// Columns of everything but the bars.
const OTHER_COLUMNS: usize = 32;

/// Returns one line for each interval, the shortest durations first.
pub(crate) fn table(buckets: &[DurationBucket], columns: usize) -> String {
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0);
    let bar_columns = columns.saturating_sub(OTHER_COLUMNS).clamp(1, MAX_BAR);
    let mut table = Table::new(&[
        Column::Right("from"),
        Column::Right("to"),
        Column::Right("requests"),
        Column::Left(""),
    ]);
    for bucket in buckets {
        let drawn = match bucket.count {
            0 => String::new(),
            count => bar((0, count), most, bar_columns),
        };
        table.row(vec![
            (style::PLAIN, duration::show(bucket.from_ns)),
            (style::PLAIN, duration::show(bucket.to_ns)),
            (if bucket.count == 0 { style::FAINT } else { style::PLAIN }, bucket.count.to_string()),
            (style::PLAIN, drawn),
        ]);
    }
    table.draw(Some(columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_relative_to_the_largest_number() {
        let bucket = |from_ns, to_ns, count| DurationBucket { from_ns, to_ns, count };
        let buckets = [
            bucket(1_000_000, 2_000_000, 1),
            bucket(2_000_000, 5_000_000, 0),
            bucket(5_000_000, 10_000_000, 120),
        ];
        let drawn = anstream::adapter::strip_str(&table(&buckets, 60)).to_string();
        insta::assert_snapshot!(drawn, @r"
           from       to  requests
        1.00 ms  2.00 ms         1  ▏
        2.00 ms  5.00 ms         0
        5.00 ms  10.0 ms       120  ████████████████████████████
        ");
    }
}
