//! Layout of a document: its width, and blocks of lines with a label.

use anstream::adapter::strip_str;

use super::{fill, paint, style, width};

/// Width of the column of labels, in columns.
pub(super) const LABEL_WIDTH: usize = 9;

/// Parameters for the layout of a document about a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Width in columns.
    pub(crate) columns: usize,
    /// True if longer lines are folded, for people.
    pub(crate) folds: bool,
    /// Number of digits of ids.
    pub(crate) digits: usize,
    /// True if request, response and values are shown in full.
    pub(crate) is_verbose: bool,
}

impl Layout {
    /// Returns the width of a line next to a label, in columns.
    pub(super) fn line_width(self) -> usize {
        self.columns.saturating_sub(LABEL_WIDTH)
    }

    /// Returns the width at which lines next to a label are folded, in columns.
    pub(super) fn fold_width(self) -> usize {
        if self.folds { self.line_width() } else { usize::MAX }
    }
}

/// Returns a block of lines, with a label on the first one.
pub(crate) fn field(label: &str, lines: &[String]) -> String {
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        let line = format!("{}{} {line}", paint(style::FAINT, label), fill(label, LABEL_WIDTH - 1));
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// Joins parts on as many lines as they need next to a label.
pub(super) fn wrap(parts: &[String], separator: &str, layout: Layout) -> Vec<String> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for part in parts {
        // Styles take no columns.
        let columns = width(&strip_str(part).to_string());
        match lines.last_mut() {
            Some((taken, line)) if *taken + separator.len() + columns <= layout.line_width() => {
                *taken += separator.len() + columns;
                line.push_str(separator);
                line.push_str(part);
            }
            _ => lines.push((columns, part.clone())),
        }
    }
    lines.into_iter().map(|(_, line)| line).collect()
}
