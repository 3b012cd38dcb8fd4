//! The counters of each thread, and the snapshot that sums them up.

pub(super) mod counters;
mod latency_histogram;
mod slo_window;
#[cfg(feature = "metrics")]
pub(super) mod snapshot;
pub(super) mod waiting_requests;
