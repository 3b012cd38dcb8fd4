//! The request list: newest first, live or paused.

mod counting;
mod header;
mod layout;
mod preview;
mod queries;
mod screen;
mod selection;
mod state;
mod table;
mod view;

pub(crate) use state::RequestsScreen;
