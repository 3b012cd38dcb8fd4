//! The keys of a block, as its index stores them.

use bincode::{Decode, Encode};
use zerver_trace::SlotCondition;

use super::value_keys::{UNKNOWN, slot_keys};
use crate::format::codec::LastField;

/// Length of a key in bytes.
const KEY_LEN: usize = size_of::<u64>();

/// The keys of a block in ascending order, eight bytes each in little endian. `None` if some values have no keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct SlotKeys(LastField<Vec<u8>>);

impl SlotKeys {
    /// Stores keys, which are in ascending order.
    pub(super) fn new(keys: impl Iterator<Item = u64>) -> Self {
        Self(LastField(Some(keys.flat_map(u64::to_le_bytes).collect())))
    }

    /// Length of the keys in bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.0.as_ref().map_or(0, Vec::len)
    }

    /// Iterates over the keys. If some values have none, there is only one, which every condition has.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        let unknown = self.0.0.is_none().then_some(UNKNOWN);
        self.chunks().iter().copied().map(u64::from_le_bytes).chain(unknown)
    }

    /// Returns false only if no trace of the block meets the condition.
    pub(crate) fn may_meet(&self, condition: &SlotCondition) -> bool {
        self.0.0.is_none()
            || slot_keys(condition).is_none_or(|keys| keys.into_iter().any(|key| self.has(key)))
    }

    fn has(&self, key: u64) -> bool {
        self.chunks().binary_search_by_key(&key, |bytes| u64::from_le_bytes(*bytes)).is_ok()
    }

    fn chunks(&self) -> &[[u8; KEY_LEN]] {
        self.0.0.as_deref().unwrap_or_default().as_chunks().0
    }
}
