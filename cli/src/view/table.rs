//! Tables: columns as wide as what is in them. Where there is no room, some are left out, and one shrinks.

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
    /// Columns that can be done without, the first to go first, and what the one that shrinks is to keep of them.
    spare: Vec<(usize, usize)>,
}

impl Table {
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new(), spare: Vec::new() }
    }

    /// Lets a column be left out where the shrinking one would otherwise keep less than `least`. What is said first goes
    /// first.
    pub(crate) fn spare(&mut self, title: &str, least: usize) {
        let at = self.columns.iter().position(|column| column.title() == title);
        self.spare.extend(at.map(|at| (at, least)));
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
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        let taken = |shown: &[usize]| {
            shown.iter().map(|at| widths[*at]).sum::<usize>() + GAP.len() * shown.len().saturating_sub(1)
        };
        let over = |shown: &[usize]| columns.map_or(0, |columns| taken(shown).saturating_sub(columns));
        let shrinks = self.columns.iter().position(|column| matches!(column, Column::Shrinks(_)));
        let can_give = |least: usize| shrinks.map_or(0, |at| widths[at].saturating_sub(least));
        for (spare, least) in &self.spare {
            if over(&shown) > can_give(*least) {
                shown.retain(|at| at != spare);
            }
        }
        // The last to go may have made room for an earlier one.
        for (spare, _) in self.spare.iter().rev() {
            let mut with = shown.clone();
            with.push(*spare);
            with.sort_unstable();
            if !shown.contains(spare) && over(&with) == 0 {
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
            let (cell, filler) = (paint(*style, &cell), filler(&cell, columns));
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
