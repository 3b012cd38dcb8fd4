//! What is counted, and how it is put together.

pub(super) mod counters;
pub(super) mod snapshot;
