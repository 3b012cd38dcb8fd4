//! Tables: columns as wide as their cells. For lack of space, some are left out and one shrinks.

use anstyle::Style;

use super::{fill, fit, paint, style, width};

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Left(&'static str),
    Right(&'static str),
    /// Aligned left, and truncated if the table is too wide.
    Shrinks(&'static str),
}

impl Column {
    const fn title(self) -> &'static str {
        match self {
            Self::Left(title) | Self::Right(title) | Self::Shrinks(title) => title,
        }
    }
}

/// Minimum width of a shrunk column.
const MIN_SHRUNK: usize = 8;
const GAP: &str = "  ";

pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<(Style, String)>>,
    /// Columns that may be left out, in this order, each with the width that the shrinking column keeps before that.
    optional: Vec<(usize, usize)>,
}

impl Table {
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new(), optional: Vec::new() }
    }

    /// Allows a column to be left out if the shrinking one would get less than `least` columns. Columns are left out in the
    /// order of the calls.
    pub(crate) fn optional(&mut self, title: &str, least: usize) {
        let at = self.columns.iter().position(|column| column.title() == title);
        self.optional.extend(at.map(|at| (at, least)));
    }

    /// Adds a row of sanitized text.
    pub(crate) fn row(&mut self, cells: Vec<(Style, String)>) {
        self.rows.push(cells);
    }

    /// Draws the table, with a maximum width in columns if there is one.
    pub(crate) fn draw(&self, columns: Option<usize>) -> String {
        let mut widths: Vec<usize> = self.columns.iter().map(|column| width(column.title())).collect();
        for row in &self.rows {
            for (at, (_, cell)) in row.iter().enumerate() {
                widths[at] = widths[at].max(width(cell));
            }
        }
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        let taken = |shown: &[usize]| {
            shown.iter().map(|at| widths[*at]).sum::<usize>() + GAP.len() * shown.len().saturating_sub(1)
        };
        let over = |shown: &[usize]| columns.map_or(0, |columns| taken(shown).saturating_sub(columns));
        let shrinks = self.columns.iter().position(|column| matches!(column, Column::Shrinks(_)));
        let can_shrink = |least: usize| shrinks.map_or(0, |at| widths[at].saturating_sub(least));
        for (column, least) in &self.optional {
            if over(&shown) > can_shrink(*least) {
                shown.retain(|at| at != column);
            }
        }
        // A column that was left out late may have made space for an earlier one.
        for (column, _) in self.optional.iter().rev() {
            let mut with = shown.clone();
            with.push(*column);
            with.sort_unstable();
            if !shown.contains(column) && over(&with) == 0 {
                shown = with;
            }
        }
        let over = over(&shown);
        if let Some(at) = shrinks {
            widths[at] = widths[at].min(widths[at].saturating_sub(over).max(MIN_SHRUNK));
        }
        let titles = self.columns.iter().map(|column| (style::FAINT, column.title().to_owned())).collect();
        let mut out = String::new();
        for row in std::iter::once(&titles).chain(&self.rows) {
            self.draw_row(row, &shown, &widths, &mut out);
        }
        out
    }

    fn draw_row(&self, row: &[(Style, String)], shown: &[usize], widths: &[usize], out: &mut String) {
        for (n, &at) in shown.iter().enumerate() {
            let ((style, cell), columns) = (&row[at], widths[at]);
            let cell = fit(cell, columns);
            let (cell, filler) = (paint(*style, &cell), fill(&cell, columns));
            let is_last = n + 1 == shown.len();
            match self.columns[at] {
                Column::Right(_) => out.push_str(&(filler + &cell)),
                _ if is_last => out.push_str(&cell),
                _ => out.push_str(&(cell + &filler)),
            }
            if !is_last {
                out.push_str(GAP);
            }
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
}
