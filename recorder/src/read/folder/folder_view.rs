//! The store in a folder at one moment.

use std::fmt::Display;
use std::ops::{ControlFlow, Range};

use crate::backend::snapshot::Snapshot;
use crate::backend::store_identity::{BuildRecord, NodeId};
use crate::backend::store_meta::{self, StoreMeta};
use crate::backend::table::Table;
use crate::block::block_index::BlockIndex;
use crate::read::blocks::{BlockPart, BlocksView, Order, Wanted};
use crate::read::read_error::ReadError;
use crate::read::store_counts::StoreCounts;

pub(crate) fn damaged(snapshot: &Snapshot, what: &str, error: &dyn Display) -> ReadError {
    ReadError::Damaged { path: snapshot.path().to_owned(), reason: format!("{what}: {error}") }
}

/// The store in a folder at one moment. The position of a block is its key.
pub(crate) struct FolderView {
    pub(crate) snapshot: Snapshot,
    pub(crate) meta: StoreMeta,
}

impl BlocksView for FolderView {
    fn range(&self) -> Range<u64> {
        self.meta.first..self.meta.next
    }

    fn counts(&self) -> Result<StoreCounts, ReadError> {
        let StoreMeta { recorded, not_kept, dropped, .. } = self.meta;
        Ok(StoreCounts { recorded, not_kept, dropped })
    }

    fn dropped(&self) -> Result<u64, ReadError> {
        self.dropped_since_oldest()
    }

    fn walk(
        &self,
        wanted: &Wanted<'_>,
        order: Order,
        may_contain: &mut dyn FnMut(&BlockIndex) -> bool,
        f: &mut dyn FnMut(u64, BlockIndex) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.walk_all(matches!(wanted, Wanted::Every), order, may_contain, f)
    }

    fn walk_readable(
        &self,
        _wanted: &Wanted<'_>,
        may_contain: &dyn Fn(&BlockIndex) -> bool,
        f: &mut dyn FnMut(u64, BlockIndex),
    ) -> Result<(), ReadError> {
        self.walk_all_readable(may_contain, f)
    }

    fn positions(
        &self,
        range: Range<u64>,
        order: Order,
    ) -> Box<dyn Iterator<Item = Result<u64, ReadError>> + '_> {
        match order {
            Order::OldestFirst => Box::new(range.map(Ok)),
            Order::NewestFirst => Box::new(range.rev().map(Ok)),
        }
    }

    fn read(&self, part: BlockPart, at: u64, f: &mut dyn FnMut(u64, &[u8])) -> Result<(), ReadError> {
        let table = match part {
            BlockPart::Index => Table::BlockIndexes,
            BlockPart::Summaries => Table::Summaries,
            BlockPart::Body => Table::Blocks,
        };
        self.snapshot.scan(table, at..=at, false, |key, record| {
            f(key, record);
            ControlFlow::Break(())
        })?;
        Ok(())
    }

    fn build_records(&self, kind: BuildRecord) -> Result<Vec<Vec<u8>>, ReadError> {
        Ok(self.snapshot.get(Table::Meta, store_meta::build_record_key(kind))?.into_iter().collect())
    }

    fn is_merged(&self) -> bool {
        false
    }

    fn node(&self, _at: u64) -> Option<NodeId> {
        None
    }

    fn damaged(&self, what: &str, error: &dyn Display) -> ReadError {
        damaged(&self.snapshot, what, error)
    }
}
