//! What becomes of a request when something goes wrong with an effect of it, as a table.

use std::collections::BTreeSet;

use zerver_trace::Trace;
use zerver_trace::text::clean;

use super::table::Column::{Left, Right, Shrinks};
use super::table::Table;
use super::timeline::status;
use super::{count, paint, style};
use crate::command::replay::faults::Row;
use crate::duration::show;

/// The least that is shown of an outcome.
const MIN_OUTCOME: usize = 30;

pub(crate) fn faults(trace: &Trace, rows: &[Row], columns: Option<usize>) -> String {
    let calls: BTreeSet<u32> = rows.iter().map(|row| row.call).collect();
    let mut out = format!(
        "recorded: {} in {}, with {}\n",
        paint(style::status(trace.status), &status(trace.status)),
        show(trace.duration_ns),
        count(calls.len() as u64, "effect", "effects"),
    );
    if rows.is_empty() {
        return out;
    }
    let mut table =
        Table::new(&[Left("effect"), Left("fault"), Left("status"), Right("took"), Shrinks("outcome")]);
    table.spare("took", MIN_OUTCOME);
    let mut above = None;
    for row in rows {
        // The name of an effect stands once.
        let effect = if above.replace(row.call) == Some(row.call) {
            String::new()
        } else {
            clean(&row.effect).into_owned()
        };
        let (mark, paint_outcome) = match (row.finding, &*row.outcome) {
            (Some(_), _) => ("✗ ", style::BAD),
            (None, "unanswered" | "refused") => ("? ", style::WARN),
            (None, _) => ("✓ ", style::PLAIN),
        };
        let failure =
            if row.failure.is_empty() { String::new() } else { format!(": {}", clean(&row.failure)) };
        let step = if row.step.is_empty() { String::new() } else { format!(", at {}", clean(&row.step)) };
        table.row(vec![
            (style::STRONG, effect),
            (style::PLAIN, row.fault.to_owned()),
            (
                row.status.map_or(style::FAINT, style::status),
                row.status.map_or_else(|| "-".to_owned(), |s| s.to_string()),
            ),
            (style::FAINT, row.duration_ns.map_or_else(|| "-".to_owned(), show)),
            (paint_outcome, format!("{mark}{}{failure}{step}", clean(&row.outcome))),
        ]);
    }
    out += &table.draw(columns);
    let found = || rows.iter().filter_map(|row| row.finding);
    let kinds: BTreeSet<&str> = found().collect();
    for kind in kinds {
        let times = found().filter(|known| *known == kind).count() as u64;
        out += &format!("{} {}: {kind}\n", paint(style::BAD, "✗"), count(times, "time", "times"));
    }
    out
}
