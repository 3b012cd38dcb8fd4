//! What is counted, and how it is put together.

pub(super) mod counters;
#[cfg(feature = "metrics")]
pub(super) mod snapshot;
pub(super) mod waiting_requests;
