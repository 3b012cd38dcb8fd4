//! The list of requests: the newest on top, followed as they come, or held still.

mod counting;
mod header;
mod preview;
mod screen;
mod selection;
mod view;

pub(crate) use screen::Requests;
