//! Formats of files that other tools open: Chrome trace, HAR, and folded stacks.

mod chrome_trace;
mod folded_stacks;
mod har;
mod har_messages;

pub use chrome_trace::chrome_trace;
pub use folded_stacks::folded_stacks;
pub use har::har;
