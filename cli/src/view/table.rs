//! Tables: columns as wide as what is in them, and the one that may shrink does when there is no room.

use anstyle::Style;

use super::{filler, fit, paint, style, width};

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Left(&'static str),
    Right(&'static str),
    /// To the left, and cut where the table would be too wide.
    Shrinks(&'static str),
}

impl Column {
    const fn title(self) -> &'static str {
        match self {
            Self::Left(title) | Self::Right(title) | Self::Shrinks(title) => title,
        }
    }
}

/// The least that a shrinking column keeps.
const MIN_SHRUNK: usize = 8;
const GAP: &str = "  ";

pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<(Style, String)>>,
}

impl Table {
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row of clean texts.
    pub(crate) fn row(&mut self, cells: Vec<(Style, String)>) {
        self.rows.push(cells);
    }

    /// Draws it, in `columns` columns if there is such a limit.
    pub(crate) fn draw(&self, columns: Option<usize>) -> String {
        let mut widths: Vec<usize> = self.columns.iter().map(|column| width(column.title())).collect();
        for row in &self.rows {
            for (at, (_, cell)) in row.iter().enumerate() {
                widths[at] = widths[at].max(width(cell));
            }
        }
        let taken = widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
        let over = columns.map_or(0, |columns| taken.saturating_sub(columns));
        for (column, width) in self.columns.iter().zip(&mut widths) {
            if matches!(column, Column::Shrinks(_)) {
                *width = (*width).min(width.saturating_sub(over).max(MIN_SHRUNK));
            }
        }
        let titles = self.columns.iter().map(|column| (style::FAINT, column.title().to_owned())).collect();
        let mut out = String::new();
        for row in std::iter::once(&titles).chain(&self.rows) {
            self.draw_row(row, &widths, &mut out);
        }
        out
    }

    fn draw_row(&self, row: &[(Style, String)], widths: &[usize], out: &mut String) {
        let last = row.len().saturating_sub(1);
        for (at, ((style, cell), (column, &columns))) in
            row.iter().zip(self.columns.iter().zip(widths)).enumerate()
        {
            let cell = fit(cell, columns);
            let (cell, filler) = (paint(*style, &cell), filler(&cell, columns));
            match column {
                Column::Right(_) => out.push_str(&(filler + &cell)),
                _ if at == last => out.push_str(&cell),
                _ => out.push_str(&(cell + &filler)),
            }
            if at < last {
                out.push_str(GAP);
            }
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
}
