//! Changes to the database that are made together or not at all.

use std::ops::RangeInclusive;

use super::store::Table;

/// Changes to be made together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(super) puts: Vec<(Table, u64, Vec<u8>)>,
    pub(super) cuts: Vec<(Table, RangeInclusive<u64>)>,
    bytes: u64,
}

impl Batch {
    pub(crate) fn put(&mut self, table: Table, key: u64, record: Vec<u8>) {
        self.bytes += record.len() as u64;
        self.puts.push((table, key, record));
    }

    pub(crate) fn cut(&mut self, table: Table, keys: RangeInclusive<u64>) {
        self.cuts.push((table, keys));
    }

    /// What is to be put, in bytes.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.cuts.is_empty()
    }

    /// What was to be put, in its order.
    pub(crate) fn into_puts(self) -> impl Iterator<Item = (Table, u64, Vec<u8>)> {
        self.puts.into_iter()
    }
}
