//! Data keys as a store keeps them: sealed under the key of the store, under the number of the first block that is sealed
//! under them. The traces name them by their ids.

use std::ops::{ControlFlow, RangeInclusive};

use bincode::{Decode, Encode};

use crate::backend::snapshot::Snapshot;
use crate::backend::store_error::StoreError;
use crate::backend::table::Table;
use crate::backend::write_batch::WriteBatch;
use crate::format::record::RecordKind;
use crate::format::{FormatError, codec, record};
use crate::secrets::data_key::DataKey;
use crate::secrets::store_key::StoreKey;

/// A data key, sealed under the key of its store.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct SealedDataKey {
    pub(crate) id: [u8; 8],
    sealed: Vec<u8>,
}

impl SealedDataKey {
    /// Seals a key. `None` if the system has no random numbers.
    pub(crate) fn new(key: &DataKey, under: &StoreKey) -> Option<Self> {
        Some(Self { id: key.id(), sealed: under.seal_key(key)? })
    }

    pub(crate) fn read(number: u64, bytes: &[u8]) -> Result<Self, FormatError> {
        codec::decode(&record::read(RecordKind::DataKey, number, bytes)?)
    }

    /// Adds the record to a batch. `number` is that of the first block that is sealed under the key.
    pub(crate) fn put(&self, number: u64, batch: &mut WriteBatch) {
        batch.put(Table::DataKeys, number, record::write(RecordKind::DataKey, number, &codec::encode(self)));
    }

    /// Opens the key. `None` if another key sealed it, or it was damaged.
    pub(crate) fn open(&self, under: &StoreKey) -> Option<DataKey> {
        under.open_key(&self.sealed).filter(|key| key.id() == self.id)
    }
}

/// Reads the data keys of a store, in the order of their numbers. Those that cannot be read are left out.
pub(crate) fn data_keys(snapshot: &Snapshot) -> Result<Vec<(u64, SealedDataKey)>, StoreError> {
    let mut keys = Vec::new();
    snapshot.scan(Table::DataKeys, 0..=u64::MAX, false, |number, bytes| {
        keys.extend(SealedDataKey::read(number, bytes).ok().map(|key| (number, key)));
        ControlFlow::Continue(())
    })?;
    Ok(keys)
}

/// Returns the numbers of the keys under which no block is sealed any more, if the oldest block is `first`.
pub(crate) fn unused_numbers(
    snapshot: &Snapshot,
    first: u64,
) -> Result<Option<RangeInclusive<u64>>, StoreError> {
    let mut newest = None;
    snapshot.scan(Table::DataKeys, 0..=first, true, |number, _| {
        newest = Some(number);
        ControlFlow::Break(())
    })?;
    Ok(newest.and_then(|number| number.checked_sub(1)).map(|last| 0..=last))
}
