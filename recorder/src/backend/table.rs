//! The tables of the database, each a map from numbers to records.

use redb::TableDefinition;

/// A table of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Blocks,
    BlockIndexes,
    Summaries,
    Meta,
    /// Indexes of groups of blocks, by the number of the group.
    BlockGroups,
    /// Data keys, by the number of the first block that is sealed under each.
    DataKeys,
}

impl Table {
    pub(super) const ALL: [Self; 6] =
        [Self::Blocks, Self::BlockIndexes, Self::Summaries, Self::Meta, Self::BlockGroups, Self::DataKeys];

    pub(super) const fn definition(self) -> TableDefinition<'static, u64, &'static [u8]> {
        TableDefinition::new(match self {
            Self::Blocks => "blocks",
            Self::BlockIndexes => "heads",
            Self::Summaries => "summaries",
            Self::Meta => "meta",
            Self::BlockGroups => "groups",
            Self::DataKeys => "keys",
        })
    }
}
