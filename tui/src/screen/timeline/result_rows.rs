//! The rows that an SQL statement returned, as a table in the inspector.

use zerver_analysis::ResultTable;
use zerver_trace::text::clean;

use super::inspector_lines::InspectorLines;
use crate::draw::{StyledLine, Tone, fit, width};

/// Maximum number of rows of a result.
const MAX_ROWS: usize = 40;
/// Maximum width of a cell, in columns.
const MAX_CELL: usize = 40;

/// Adds the rows that a statement returned as a table.
pub(super) fn rows(tree: &mut InspectorLines<'_>, table: &ResultTable) {
    let room = (tree.columns / table.columns.len().max(1)).clamp(8, MAX_CELL);
    let shown = table.rows.len().min(MAX_ROWS);
    let cell = |cell: &Option<String>| {
        cell.as_deref().map_or_else(|| "NULL".to_owned(), |text| fit(&clean(text), room, "…"))
    };
    let column = |at: usize| {
        let cells = table.rows[..shown].iter().filter_map(move |row| row.get(at));
        cells
            .map(|text| width(&cell(text)))
            .chain([width(&fit(&clean(&table.columns[at]), room, "…"))])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(column).collect();
    let line = |cells: Vec<String>| {
        let padded = cells.into_iter().zip(&widths).map(|(text, columns)| {
            let blanks = columns.saturating_sub(width(&text));
            text + &" ".repeat(blanks)
        });
        format!(" {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    tree.head(&format!("rows ({})", table.rows.len()));
    tree.line(StyledLine::new(
        line(table.columns.iter().map(|name| fit(&clean(name), room, "…")).collect()),
        Tone::Secondary,
    ));
    for row in &table.rows[..shown] {
        tree.line(StyledLine::new(line(row.iter().map(cell).collect()), Tone::Text));
    }
    if table.rows.len() > shown {
        tree.line(StyledLine::new(format!(" and {} more", table.rows.len() - shown), Tone::Secondary));
    }
    if table.is_truncated {
        tree.line(StyledLine::new(" there were more rows than were read", Tone::Warn));
    }
}
