//! Changes to the database that are applied together.

use std::ops::RangeInclusive;

use crate::backend::table::Table;

/// Changes that are applied together: first the removals, then the records.
#[derive(Debug, Default)]
pub(crate) struct WriteBatch {
    pub(super) puts: Vec<(Table, u64, Vec<u8>)>,
    pub(super) removals: Vec<(Table, RangeInclusive<u64>)>,
    bytes: u64,
}

impl WriteBatch {
    pub(crate) fn put(&mut self, table: Table, key: u64, record: Vec<u8>) {
        self.bytes += record.len() as u64;
        self.puts.push((table, key, record));
    }

    pub(crate) fn remove(&mut self, table: Table, keys: RangeInclusive<u64>) {
        self.removals.push((table, keys));
    }

    /// Total length of the records, in bytes.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.removals.is_empty()
    }

    /// Returns the records in the order in which they were added.
    pub(crate) fn into_puts(self) -> impl Iterator<Item = (Table, u64, Vec<u8>)> {
        self.puts.into_iter()
    }
}
