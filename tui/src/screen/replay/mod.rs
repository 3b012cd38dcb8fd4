//! One request, run again with today's code: what is to be different, and what comes out beside what was recorded.

mod drafts;
mod edit_targets;
mod prompts;
mod screen;
mod view;

pub(crate) use screen::ReplayScreen;
