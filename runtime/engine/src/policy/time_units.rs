//! Units of time, in nanoseconds.

/// A millisecond.
pub(super) const MS: u64 = 1_000_000;
/// A second.
pub(super) const S: u64 = 1_000 * MS;
