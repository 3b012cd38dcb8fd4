//! The diff screen: two requests side by side, why the second is slower, and what differs.

mod body_lines;
mod diff_lines;
mod layout;
mod screen;
mod state;
mod view;

pub(super) use body_lines::push_body_changes;
pub(crate) use state::DiffScreen;
