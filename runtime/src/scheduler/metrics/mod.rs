//! The counters of each thread, and the snapshot that sums them up.

pub(super) mod counters;
pub(super) mod snapshot;
