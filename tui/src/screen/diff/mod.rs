//! Two requests compared: why the second took longer, step by step on one scale, and what differs.

mod diff_lines;
mod layout;
mod screen;
mod state;
mod view;

pub(super) use diff_lines::inline;
pub(crate) use state::DiffScreen;
