//! The path from the workers to the thread that writes: the recording policy and the bounded queue.

pub(crate) mod capture_queue;
pub(crate) mod inbox;
pub(crate) mod rate_budget;
pub(crate) mod recording_policy;
