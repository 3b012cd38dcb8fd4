//! One request: a waterfall of its steps and effects, and an inspector that tells what each moment was like.

mod inspector;
mod inspector_lines;
mod layout;
mod moments;
mod open_trace;
mod screen;
mod state;
mod summary_lines;
mod view;
mod waterfall;

pub(crate) use state::TimelineScreen;
pub(super) use summary_lines::lines;
pub(super) use waterfall::{Waterfall, rows, time_uses};
