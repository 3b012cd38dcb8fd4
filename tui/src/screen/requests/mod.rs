//! The list of requests: the newest on top, followed as they come, or held still.

mod counting;
mod header;
mod layout;
mod preview;
mod screen;
mod selection;
mod state;
mod table;
mod view;

pub(crate) use state::RequestsScreen;
