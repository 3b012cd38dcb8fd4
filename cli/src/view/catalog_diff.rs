//! Differences between two catalogs, or two OpenAPI documents, as a table.

use zerver_analysis::{Breaking, CatalogChange, CatalogDiff};
use zerver_trace::text::clean;

use super::table::{Column, Table};
use super::{count, paint, style};
use crate::openapi_diff::OpenApiChange;

/// Returns a row for each change, and what it means for clients.
pub(crate) fn catalog_diff(diff: &CatalogDiff, columns: Option<usize>) -> String {
    if diff.changes.is_empty() {
        return "no difference\n".to_owned();
    }
    let mut table = Table::new(&[
        Column::Left(""),
        Column::Left("flow"),
        Column::Left("what"),
        Column::Shrinks("old"),
        Column::Left("new"),
    ]);
    for change in &diff.changes {
        let (mark, mark_style) = mark(change.breaking);
        let text = |side: &Option<String>| {
            side.as_deref().map_or_else(|| "-".to_owned(), |text| clean(text).into_owned())
        };
        table.row(vec![
            (mark_style, mark.to_owned()),
            (style::STRONG, clean(&change.flow).into_owned()),
            (style::PLAIN, clean(&change.subject).into_owned()),
            (style::FAINT, text(&change.old)),
            (style::PLAIN, with_note(text(&change.new), change)),
        ]);
    }
    with_verdict(&table, columns, diff.changes.iter().map(|change| change.breaking))
}

/// Returns a row for each difference between two OpenAPI documents, and what it means for clients.
pub(crate) fn openapi_diff(changes: &[OpenApiChange], columns: Option<usize>) -> String {
    if changes.is_empty() {
        return "no difference\n".to_owned();
    }
    let mut table = Table::new(&[
        Column::Left(""),
        Column::Left("operation"),
        Column::Shrinks("part"),
        Column::Left("old"),
        Column::Left("new"),
    ]);
    for change in changes {
        let (mark, mark_style) = mark(change.breaking);
        let text = |side: &Option<String>| {
            side.as_deref().map_or_else(|| "-".to_owned(), |text| clean(text).into_owned())
        };
        table.row(vec![
            (mark_style, mark.to_owned()),
            (style::STRONG, clean(&change.operation).into_owned()),
            (style::PLAIN, clean(&change.part).into_owned()),
            (style::FAINT, text(&change.old)),
            (style::PLAIN, text(&change.new)),
        ]);
    }
    with_verdict(&table, columns, changes.iter().map(|change| change.breaking))
}

/// Returns the table, and what the changes mean altogether.
fn with_verdict(
    table: &Table,
    columns: Option<usize>,
    changes: impl Iterator<Item = Breaking> + Clone,
) -> String {
    let number = |breaking| changes.clone().filter(|found| *found == breaking).count() as u64;
    let (yes, maybe) = (number(Breaking::Yes), number(Breaking::Maybe));
    let verdict = match (yes, maybe) {
        (0, 0) => paint(style::FAINT, "nothing here breaks clients"),
        (0, _) => format!("{} may break clients (?)", count(maybe, "change", "changes")),
        _ => paint(style::BAD, &format!("{} clients (!)", count(yes, "change breaks", "changes break"))),
    };
    format!("{}\n{verdict}\n", table.draw(columns))
}

fn mark(breaking: Breaking) -> (&'static str, anstyle::Style) {
    match breaking {
        Breaking::No => (" ", style::PLAIN),
        Breaking::Maybe => ("?", style::STRONG),
        Breaking::Yes => ("!", style::BAD),
    }
}

fn with_note(text: String, change: &CatalogChange) -> String {
    match &change.note {
        Some(note) => format!("{text} ({})", clean(note)),
        None => text,
    }
}
