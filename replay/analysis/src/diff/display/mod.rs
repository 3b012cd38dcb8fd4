//! Rows and wording of a diff, for display.

pub(crate) mod diff_rows;
pub(crate) mod text_lines;
pub(crate) mod wording;
