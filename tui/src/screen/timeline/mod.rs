//! The timeline screen: the waterfall of a request, and an inspector that shows each moment of it.

mod inspector;
mod inspector_lines;
mod inspector_times;
mod layout;
mod open_trace;
mod result_rows;
mod screen;
mod state;
mod summary_lines;
mod view;
mod waterfall;

pub(crate) use state::TimelineScreen;
pub(super) use summary_lines::lines;
pub(super) use waterfall::Waterfall;
