//! The path from the workers to the writer's thread: the recording policy and the bounded queue.
//!
//! Must not block, and must not describe a value.

pub(crate) mod capture_queue;
pub(crate) mod inbox;
mod rate_budget;
pub(crate) mod recording_policy;
