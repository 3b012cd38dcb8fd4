//! One request, run again with today's code: what is to be different, and what comes out beside what was recorded.

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
