//! The replay screen: a request run with the current code and optional edits, compared with the recording.

mod drafts;
mod edit_targets;
mod layout;
mod open_prompt;
mod prompts;
mod response_view;
mod screen;
mod state;
mod view;

pub(crate) use state::ReplayScreen;
