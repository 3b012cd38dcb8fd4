//! Counters of a store.

/// Counters of a store since it was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Traces that were recorded, including those that were removed since.
    pub recorded: u64,
    /// Requests that the policy did not keep.
    pub not_kept: u64,
    /// Requests that were dropped because the queue was full.
    pub dropped: u64,
}
