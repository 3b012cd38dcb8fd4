//! The records that describe the whole store: its blocks and counters, the flows of its last build, and its origin.

use std::path::PathBuf;

use bincode::{Decode, Encode};
use zerver_trace::FlowDeclaration;

use crate::backend::snapshot::Snapshot;
use crate::backend::store_error::StoreError;
use crate::backend::store_identity::{BuildRecord, NodeId};
use crate::backend::table::Table;
use crate::block::block_group::{self, GroupBuilder};
use crate::block::block_index::BlockIndex;
use crate::format::record::RecordKind;
use crate::format::{FormatError, Schema, codec, record};

/// Keys of the records in [`Table::Meta`].
const META: u64 = 0;
const CATALOG: u64 = 1;
const ORIGIN: u64 = 2;
const DECLARATIONS: u64 = 3;
const NODE: u64 = 4;

/// The range of blocks, and the counters since the store was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct StoreMeta {
    /// Key of the oldest block.
    pub(crate) first: u64,
    /// Key after that of the newest block.
    pub(crate) next: u64,
    /// Number of traces in the blocks. It reveals a block that was replaced by an earlier version of itself.
    pub(crate) traces: u64,
    pub(crate) recorded: u64,
    pub(crate) not_kept: u64,
    pub(crate) dropped: u64,
}

impl StoreMeta {
    /// Returns the table, the key and the encoded record.
    pub(crate) fn to_record(self) -> (Table, u64, Vec<u8>) {
        (Table::Meta, META, record::write(RecordKind::StoreMeta, META, &codec::encode(self)))
    }

    /// Reads the record. `None` if nothing was ever written to the store.
    pub(crate) fn read(snapshot: &Snapshot) -> Result<Option<Result<Self, FormatError>>, StoreError> {
        let record = snapshot.get(Table::Meta, META)?;
        Ok(record.map(|record| codec::decode(&record::read(RecordKind::StoreMeta, META, &record)?)))
    }
}

/// Returns the schema of the last commit.
pub(crate) fn store_schema(snapshot: &Snapshot) -> Result<Option<Schema>, StoreError> {
    Ok(snapshot.get(Table::Meta, META)?.map(|record| record::schema_of(&record)))
}

/// Returns the table, the key and the encoded record for the flows of a build.
pub(crate) fn catalog_record(
    build: &str,
    flows: &[std::sync::Arc<zerver_trace::FlowInfo>],
) -> (Table, u64, Vec<u8>) {
    (Table::Meta, CATALOG, record::write(RecordKind::FlowCatalog, CATALOG, &codec::encode((build, flows))))
}

/// Returns the key of a record that describes the build.
pub(crate) const fn build_record_key(kind: BuildRecord) -> u64 {
    match kind {
        BuildRecord::Catalog => CATALOG,
        BuildRecord::Declarations => DECLARATIONS,
        BuildRecord::Origin => ORIGIN,
    }
}

pub(crate) fn decode_catalog(record: &[u8]) -> Result<FlowCatalog, FormatError> {
    let (build, flows) = codec::decode(&record::read(RecordKind::FlowCatalog, CATALOG, record)?)?;
    Ok(FlowCatalog { build, flows })
}

/// Declarations of flows, by the names of the flows.
pub(crate) type Declarations = Vec<(String, FlowDeclaration)>;

/// Returns the table, the key and the encoded record for the declarations of the flows of a build.
pub(crate) fn declarations_record(declarations: &[(String, FlowDeclaration)]) -> (Table, u64, Vec<u8>) {
    let encoded = codec::encode(declarations);
    (Table::Meta, DECLARATIONS, record::write(RecordKind::FlowDeclarations, DECLARATIONS, &encoded))
}

/// Decodes the record, which builds before schema 3.6 do not write.
pub(crate) fn decode_declarations(record: &[u8]) -> Result<Declarations, FormatError> {
    codec::decode(&record::read(RecordKind::FlowDeclarations, DECLARATIONS, record)?)
}

/// The flows of the build that wrote to a store last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlowCatalog {
    /// Id of the build.
    pub build: String,
    /// Flows of the build.
    pub flows: Vec<zerver_trace::FlowInfo>,
}

/// Package and program that wrote to a store last. Paths that are not UTF-8 are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreOrigin {
    /// Folder of the package, if Cargo or `zerver dev` ran the program.
    pub package: Option<PathBuf>,
    /// The program.
    pub program: Option<PathBuf>,
}

impl StoreOrigin {
    /// Returns the table, the key and the encoded record.
    pub(crate) fn to_record(&self) -> (Table, u64, Vec<u8>) {
        let text = |path: &Option<PathBuf>| path.as_ref().and_then(|path| path.to_str().map(str::to_owned));
        let encoded = codec::encode((text(&self.package), text(&self.program)));
        (Table::Meta, ORIGIN, record::write(RecordKind::StoreOrigin, ORIGIN, &encoded))
    }

    /// Decodes the record.
    pub(crate) fn decode(record: &[u8]) -> Result<Self, FormatError> {
        let (package, program): (Option<String>, Option<String>) =
            codec::decode(&record::read(RecordKind::StoreOrigin, ORIGIN, record)?)?;
        Ok(Self { package: package.map(PathBuf::from), program: program.map(PathBuf::from) })
    }
}

/// Returns the table, the key and the encoded record for the id of a store.
pub(crate) fn node_record(node: NodeId) -> (Table, u64, Vec<u8>) {
    (Table::Meta, NODE, record::write(RecordKind::StoreNode, NODE, &codec::encode(node.0)))
}

/// Reads the id of a store. Earlier versions made none, and a damaged one is replaced.
pub(crate) fn read_node(snapshot: &Snapshot) -> Result<Option<NodeId>, StoreError> {
    let record = snapshot.get(Table::Meta, NODE)?;
    let read = |record: &[u8]| codec::decode(&record::read(RecordKind::StoreNode, NODE, record)?).map(NodeId);
    Ok(record.and_then(|record| read(&record).ok()))
}

/// Reads the index of every block, with its key. `None` for an index that cannot be read.
pub(crate) fn all_block_indexes(snapshot: &Snapshot) -> Result<Vec<(u64, Option<BlockIndex>)>, StoreError> {
    let mut indexes = Vec::new();
    snapshot.scan(Table::BlockIndexes, 0..=u64::MAX, false, |key, record| {
        indexes.push((key, BlockIndex::read(key, record).ok()));
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(indexes)
}

/// Returns the group to which the block with the key `next` will be added, with the blocks that it has.
pub(crate) fn unfinished_group(snapshot: &Snapshot, next: u64) -> Result<GroupBuilder, StoreError> {
    let mut group = GroupBuilder::default();
    let first = *block_group::blocks_of(block_group::group_of(next)).start();
    if first < next {
        snapshot.scan(Table::BlockIndexes, first..=next - 1, false, |key, record| {
            if let Ok(index) = BlockIndex::read(key, record) {
                group.add(key, &index);
            }
            std::ops::ControlFlow::Continue(())
        })?;
    }
    Ok(group)
}
