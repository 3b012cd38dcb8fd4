//! Reads the closed blocks of a store as they are.

use std::ops::ControlFlow;
use std::path::Path;

use crate::backend::store_identity::BuildRecord;
use crate::backend::store_meta::{self, StoreMeta};
use crate::backend::table::Table;
use crate::block::block_index::BlockIndex;
use crate::read::blocks::Blocks as _;
use crate::read::folder::folder_blocks::FolderBlocks;
use crate::read::folder::folder_view::FolderView;
use crate::read::read_error::ReadError;
use crate::secrets::data_key::DataKey;
use crate::secrets::data_key_record::data_keys;
use crate::secrets::store_key::StoreKey;
use crate::spool::spool_end::SpoolEnd;

/// A closed block: its three records, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedBlock {
    /// Key under which the block was written.
    pub seq: u64,
    /// The decoded index.
    pub index: BlockIndex,
    /// The record of the index.
    pub index_record: Vec<u8>,
    /// The record of the summaries.
    pub summaries: Vec<u8>,
    /// The record of the traces.
    pub body: Vec<u8>,
}

/// The records that describe the build which writes to a store. Those that it has not written are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildRecords {
    /// Id of the build.
    pub build: String,
    /// Id and flows.
    pub catalog: Option<Vec<u8>>,
    /// Declarations of the flows.
    pub declarations: Option<Vec<u8>>,
    /// Package and program.
    pub origin: Option<Vec<u8>>,
}

/// Traces that were not shipped, and the counters of the store at the same moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Traces in blocks that were not shipped, closed or not.
    pub traces: u64,
    /// Bytes of the closed ones among these blocks.
    pub bytes: u64,
    /// Traces that were recorded since the store was created.
    pub recorded: u64,
    /// Requests that the policy did not keep since then.
    pub not_kept: u64,
    /// Requests that were dropped since then because the queue was full.
    pub dropped: u64,
}

/// Reads the blocks of a store for a shipper.
pub struct SpoolReader(FolderBlocks);

impl std::fmt::Debug for SpoolReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SpoolReader").field(&self.0.place()).finish()
    }
}

impl SpoolReader {
    /// Opens the store in a folder.
    ///
    /// # Errors
    /// As for [`crate::Reader::open`].
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        Ok(Self(FolderBlocks::open(dir)?))
    }

    /// Returns true if the open file is still the one in the folder.
    pub fn is_in_place(&self) -> bool {
        self.0.is_in_place()
    }

    /// Reads closed blocks from the key `from` on, in order, until there are `max_blocks` or more than `max_bytes`. Blocks
    /// that were removed are left out. Returns `None` if the store is not the one that `end` speaks of.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn closed_blocks(
        &self,
        end: SpoolEnd,
        from: u64,
        max_blocks: usize,
        max_bytes: usize,
    ) -> Result<Option<Vec<ClosedBlock>>, ReadError> {
        let Some(FolderView { snapshot, meta }) = self.view_of(end)? else { return Ok(None) };
        let mut blocks: Vec<ClosedBlock> = Vec::new();
        let Some(last) = end.closed.checked_sub(1).filter(|last| *last >= from.max(meta.first)) else {
            return Ok(Some(blocks));
        };
        snapshot.scan(Table::BlockIndexes, from.max(meta.first)..=last, false, |seq, record| {
            // A damaged block stays where it is, and `zerver doctor` names it.
            if let Ok(index) = BlockIndex::read(seq, record) {
                let (summaries, body) = (Vec::new(), Vec::new());
                blocks.push(ClosedBlock { seq, index, index_record: record.to_vec(), summaries, body });
            }
            if blocks.len() < max_blocks { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        let (mut whole, mut bytes) = (Vec::with_capacity(blocks.len()), 0);
        for mut block in blocks {
            let summaries = snapshot.get(Table::Summaries, block.seq)?;
            let (Some(summaries), Some(body)) = (summaries, snapshot.get(Table::Blocks, block.seq)?) else {
                continue;
            };
            bytes += block.index_record.len() + summaries.len() + body.len();
            (block.summaries, block.body) = (summaries, body);
            whole.push(block);
            if bytes > max_bytes {
                break;
            }
        }
        Ok(Some(whole))
    }

    /// Counts what is in the store from the key `from` on. Returns `None` if the store is not the one that `end` speaks
    /// of.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn backlog(&self, end: SpoolEnd, from: u64) -> Result<Option<Backlog>, ReadError> {
        let Some(FolderView { snapshot, meta }) = self.view_of(end)? else { return Ok(None) };
        let StoreMeta { recorded, not_kept, dropped, .. } = meta;
        let mut backlog = Backlog { recorded, not_kept, dropped, ..Backlog::default() };
        snapshot.scan(Table::BlockIndexes, from.max(meta.first)..=u64::MAX, false, |key, record| {
            if let Ok(index) = BlockIndex::read(key, record) {
                backlog.traces += u64::from(index.count);
                backlog.bytes += if key < end.closed { index.bytes } else { 0 };
            }
            ControlFlow::Continue(())
        })?;
        Ok(Some(backlog))
    }

    /// Reads the records of the build that writes to the store. Returns `None` if it has not written its flows yet.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn build(&self) -> Result<Option<BuildRecords>, ReadError> {
        let view = self.0.folder_view()?;
        let read = |kind| view.snapshot.get(Table::Meta, store_meta::build_record_key(kind));
        let Some(catalog) = read(BuildRecord::Catalog)? else { return Ok(None) };
        let Ok(decoded) = store_meta::decode_catalog(&catalog) else { return Ok(None) };
        let (declarations, origin) = (read(BuildRecord::Declarations)?, read(BuildRecord::Origin)?);
        Ok(Some(BuildRecords { build: decoded.build, catalog: Some(catalog), declarations, origin }))
    }

    /// Reads the data keys of the store that are not among those which are known, for a shipper to wrap. Those that the key of
    /// the store does not open are left out: nothing else opens them either.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn data_keys(&self, is_known: impl Fn([u8; 8]) -> bool) -> Result<Vec<DataKey>, ReadError> {
        let mut keys = data_keys(&self.0.folder_view()?.snapshot)?;
        keys.retain(|(_, key)| !is_known(key.id));
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let Some(Ok(store)) = self.0.dir().map(StoreKey::load) else { return Ok(Vec::new()) };
        Ok(keys.iter().filter_map(|(_, key)| key.open(&store)).collect())
    }

    fn view_of(&self, end: SpoolEnd) -> Result<Option<FolderView>, ReadError> {
        let view = self.0.folder_view()?;
        let node = store_meta::read_node(&view.snapshot)?;
        Ok(if node.is_some() && node == end.node { Some(view) } else { None })
    }
}
