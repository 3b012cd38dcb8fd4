//! The rows that SQL statements returned, as tables.

use zerver_analysis::{Effect, ResultTable, Timeline};
use zerver_trace::duration;
use zerver_trace::text::clean;

use crate::view::layout::{Layout, field};
use crate::view::{count, fill, fit, paint, style, width};

/// Maximum number of rows to show.
const MAX_ROWS: usize = 20;
/// Maximum width of a column.
const MAX_COLUMN: usize = 40;

/// Returns the results of all statements, one block each.
pub(super) fn results(timeline: &Timeline, layout: Layout) -> String {
    let effects = timeline.runs.iter().flat_map(|run| &run.effects);
    effects
        .flat_map(|effect| ResultTable::of(effect).into_iter().map(move |table| (effect, table)))
        .map(|(effect, table)| field("rows", &block(effect, &table, layout)))
        .collect()
}

fn block(effect: &Effect, table: &ResultTable, layout: Layout) -> Vec<String> {
    let about = format!("{}  {}", duration::show(effect.start_ns), clean(&effect.label()));
    let mut lines = vec![fit(&about, layout.line_width())];
    lines.extend(grid(table).into_iter().map(|line| fit(&line, layout.line_width())));
    if let Some(heading) = lines.get_mut(1) {
        *heading = paint(style::FAINT, heading);
    }
    let hidden = table.rows.len().saturating_sub(MAX_ROWS);
    if hidden > 0 {
        lines.push(paint(style::FAINT, &format!("and {}", count(hidden as u64, "more row", "more rows"))));
    }
    if table.is_truncated {
        lines.push(paint(style::WARN, "there were more rows than were read"));
    }
    lines
}

/// Returns the heading and the rows, with aligned columns.
fn grid(table: &ResultTable) -> Vec<String> {
    let cell = |cell: &Option<String>| match cell {
        Some(text) => fit(&clean(text), MAX_COLUMN),
        None => "NULL".to_owned(),
    };
    let heading: Vec<String> = table.columns.iter().map(|name| fit(&clean(name), MAX_COLUMN)).collect();
    let rows = table.rows.iter().take(MAX_ROWS).map(|row| row.iter().map(cell).collect::<Vec<_>>());
    let lines: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
    let column_width =
        |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| width(cell)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..table.columns.len()).map(column_width).collect();
    let joined = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", fill(cell, *width)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(joined).collect()
}
