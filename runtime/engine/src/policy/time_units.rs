//! Units of the times in this folder, which are nanoseconds.

pub(super) const MS: u64 = 1_000_000;
pub(super) const S: u64 = 1_000 * MS;
