//! Two requests compared: why the second took longer, step by step on one scale, and what differs.

mod diff_lines;
mod screen;
mod view;

pub(super) use diff_lines::inline;
pub(crate) use screen::DiffScreen;
