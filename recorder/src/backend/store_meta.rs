//! What is known of the whole store: from which block to which, and how many requests are not in it.

use bincode::{Decode, Encode};

use crate::backend::store::{Snapshot, StoreError, Table};
use crate::block::block_index::BlockIndex;
use crate::format::record::RecordKind;
use crate::format::{FormatError, codec, record};

/// The keys of the table of all else.
const EXTENT: u64 = 0;
const CATALOG: u64 = 1;

/// The blocks that are there, and what was counted since the store was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Extent {
    /// The oldest block.
    pub(crate) first: u64,
    /// One past the newest.
    pub(crate) next: u64,
    /// The traces in them: with it, a block that is an earlier state of itself is found out.
    pub(crate) traces: u64,
    pub(crate) recorded: u64,
    pub(crate) not_kept: u64,
    pub(crate) overflowed: u64,
}

impl Extent {
    /// What to put into the store.
    pub(crate) fn record(&self) -> (Table, u64, Vec<u8>) {
        (Table::Meta, EXTENT, record::write(RecordKind::StoreMeta, EXTENT, &codec::encode(self)))
    }

    /// None in a store where nothing was ever put.
    pub(crate) fn read(snapshot: &Snapshot) -> Result<Option<Result<Self, FormatError>>, StoreError> {
        let record = snapshot.get(Table::Meta, EXTENT)?;
        Ok(record.map(|record| codec::decode(&record::read(RecordKind::StoreMeta, EXTENT, &record)?)))
    }
}

/// The schema of what was put into the store last.
pub(crate) fn schema(snapshot: &Snapshot) -> Result<Option<u16>, StoreError> {
    Ok(snapshot.get(Table::Meta, EXTENT)?.map(|record| record::schema_of(&record)))
}

/// What to put into the store for the flows of a build.
pub(crate) fn catalog_record(
    build: &str,
    flows: &[std::sync::Arc<zerver_trace::FlowInfo>],
) -> (Table, u64, Vec<u8>) {
    (Table::Meta, CATALOG, record::write(RecordKind::FlowCatalog, CATALOG, &codec::encode((build, flows))))
}

pub(crate) fn read_catalog(snapshot: &Snapshot) -> Result<Option<Result<Catalog, FormatError>>, StoreError> {
    let record = snapshot.get(Table::Meta, CATALOG)?;
    Ok(record.map(|record| {
        let (build, flows) = codec::decode(&record::read(RecordKind::FlowCatalog, CATALOG, &record)?)?;
        Ok(Catalog { build, flows })
    }))
}

/// The flows of the build that wrote to a store last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The id of the build.
    pub build: String,
    /// Its flows.
    pub flows: Vec<zerver_trace::FlowInfo>,
}

/// All indexes in their order, each with its key; none in the place of one that cannot be read.
pub(crate) fn all_block_indexes(snapshot: &Snapshot) -> Result<Vec<(u64, Option<BlockIndex>)>, StoreError> {
    let mut indexes = Vec::new();
    snapshot.scan(Table::BlockIndexes, 0..=u64::MAX, false, |key, record| {
        indexes.push((key, BlockIndex::read(key, record).ok()));
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(indexes)
}
