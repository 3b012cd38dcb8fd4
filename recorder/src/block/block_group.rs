//! Groups of consecutive blocks, and the index that they have in common.
//!
//! A group is complete when no block will be added to it. Its record is written then, and never changes. It repeats what
//! the indexes of its blocks state, so a reader that finds none reads those.

use std::ops::RangeInclusive;

use crate::block::block_index::BlockIndex;
use crate::format::record::RecordKind;
use crate::format::{FormatError, codec, record};

/// Number of blocks in a group.
pub(crate) const GROUP_BLOCKS: u64 = 64;

/// Returns the number of the group of a block.
pub(crate) const fn group_of(block: u64) -> u64 {
    block / GROUP_BLOCKS
}

/// Returns the keys of the blocks of a group.
pub(crate) const fn blocks_of(group: u64) -> RangeInclusive<u64> {
    let first = group.saturating_mul(GROUP_BLOCKS);
    first..=first.saturating_add(GROUP_BLOCKS - 1)
}

/// Reads the index of a group.
pub(crate) fn read(group: u64, record: &[u8]) -> Result<BlockIndex, FormatError> {
    codec::decode(&record::read(RecordKind::BlockGroup, group, record)?)
}

/// The group that is being filled.
#[derive(Debug, Default)]
pub(crate) struct GroupBuilder {
    index: BlockIndex,
    /// Key of the block that is added next, if the group is complete so far.
    next: Option<u64>,
}

impl GroupBuilder {
    /// Adds a block, after all that precede it. Returns the number and the record of the group if it is complete now.
    pub(crate) fn add(&mut self, key: u64, index: &BlockIndex) -> Option<(u64, Vec<u8>)> {
        let (group, blocks) = (group_of(key), blocks_of(group_of(key)));
        if key == *blocks.start() {
            (self.index, self.next) = (BlockIndex::default(), Some(key));
        }
        // Without its first blocks, a group has no index.
        if self.next != Some(key) {
            self.next = None;
            return None;
        }
        self.index.merge(index);
        self.next = key.checked_add(1);
        (key == *blocks.end())
            .then(|| (group, record::write(RecordKind::BlockGroup, group, &codec::encode(&self.index))))
    }
}

#[cfg(test)]
mod tests {
    use zerver_trace::RequestId;

    use super::*;

    fn block(key: u64) -> BlockIndex {
        let id = RequestId::from_u128(u128::from(key));
        BlockIndex { count: 2, min_id: id, max_id: id, dropped: key % 3, ..BlockIndex::default() }
    }

    #[test]
    fn only_a_group_with_all_its_blocks_has_an_index() {
        let mut builder = GroupBuilder::default();
        let groups: Vec<_> = (5..200).filter_map(|key| builder.add(key, &block(key))).collect();
        let [(first, record), (second, _)] = groups.as_slice() else { panic!("{groups:?}") };
        assert_eq!((*first, *second), (1, 2));
        let index = read(1, record).unwrap();
        assert_eq!((index.count, index.min_id, index.max_id), (128, block(64).min_id, block(127).max_id));
        assert_eq!(index.dropped, (64..128).map(|key| key % 3).sum::<u64>());
        assert!(read(2, record).is_err());
    }

    #[test]
    fn a_group_without_one_of_its_blocks_has_no_index() {
        let mut builder = GroupBuilder::default();
        assert!(
            (64..192)
                .filter(|key| *key != 100)
                .filter_map(|key| builder.add(key, &block(key)))
                .map(|(group, _)| group)
                .eq([2])
        );
    }
}
