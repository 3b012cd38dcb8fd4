//! The diff screen: two requests side by side, why the second is slower, and what differs.

mod diff_lines;
mod layout;
mod screen;
mod state;
mod view;

pub(super) use diff_lines::push_changed_lines;
pub(crate) use state::DiffScreen;
