//! The pages of one request.

mod detail;
mod exchange;
mod file_parts;
mod head;
mod slots;
mod time_scale;
mod timeline;
mod totals;
mod waterfall;

pub(crate) use detail::detail;
pub(crate) use file_parts::FileParts;
pub(crate) use head::head;
pub(crate) use slots::{SlotsView, slots_page};
pub(crate) use timeline::{TimelineView, timeline_page};
