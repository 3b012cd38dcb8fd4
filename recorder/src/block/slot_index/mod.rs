//! The index of slots of a block: keys of the values that its traces wrote to slots.
//!
//! A search for a value skips the blocks that have neither its key nor that of a slot without an index. Keys are hashes that
//! every node makes alike, so that those of a fleet can be searched together. They are made of what a reader sees: a secret
//! has none, because no search finds it.

mod slot_indexer;
mod slot_keys;
#[cfg(test)]
mod tests;
mod value_keys;

pub(crate) use self::slot_indexer::SlotIndexer;
pub(crate) use self::slot_keys::SlotKeys;
pub use self::value_keys::slot_keys;
