//! A consistent view of a store, which checks that its blocks are complete.

use std::ops::ControlFlow;

use zerver_trace::{RequestId, Summary, Trace};

use crate::backend::snapshot::Snapshot;
use crate::backend::store_meta::StoreMeta;
use crate::backend::table::Table;
use crate::block::block_body::BlockBody;
use crate::block::block_index::BlockIndex;
use crate::block::summaries;
use crate::format::FormatError;
use crate::read::read_error::ReadError;

pub(crate) fn damaged(snapshot: &Snapshot, what: &str, error: &dyn std::fmt::Display) -> ReadError {
    ReadError::Damaged { path: snapshot.path().to_owned(), reason: format!("{what}: {error}") }
}

/// The store at one moment.
pub(crate) struct StoreView {
    pub(crate) snapshot: Snapshot,
    pub(crate) meta: StoreMeta,
}

impl StoreView {
    pub(crate) fn last_key(&self) -> Option<u64> {
        (self.meta.first < self.meta.next).then(|| self.meta.next - 1)
    }

    /// Reads a record of a block.
    fn record<T>(
        &self,
        table: Table,
        key: u64,
        read: impl FnOnce(&[u8]) -> Result<T, FormatError>,
    ) -> Result<T, ReadError> {
        let what = || format!("block {key}");
        let record = self.snapshot.get(table, key)?;
        let record = record.ok_or_else(|| damaged(&self.snapshot, &what(), &"missing"))?;
        read(&record).map_err(|error| damaged(&self.snapshot, &what(), &error))
    }

    pub(crate) fn index(&self, key: u64) -> Result<BlockIndex, ReadError> {
        self.record(Table::BlockIndexes, key, |record| BlockIndex::read(key, record))
    }

    /// Reads the summaries of a block, which must be `count`, as its index states.
    pub(crate) fn summaries(&self, key: u64, count: u32) -> Result<Vec<Summary>, ReadError> {
        self.record(Table::Summaries, key, |record| {
            let summaries = summaries::read(key, record)?;
            if summaries.len() == count as usize { Ok(summaries) } else { Err(FormatError::Misplaced) }
        })
    }

    /// Reads the first `count` summaries of a block, to which others may have been added since.
    pub(crate) fn first_summaries(&self, key: u64, count: u32) -> Result<Vec<Summary>, ReadError> {
        self.record(Table::Summaries, key, |record| {
            let mut summaries = summaries::read(key, record)?;
            if summaries.len() < count as usize {
                return Err(FormatError::Misplaced);
            }
            summaries.truncate(count as usize);
            Ok(summaries)
        })
    }

    /// Reads the body of a block into memory.
    pub(crate) fn body(&self, key: u64) -> Result<BlockBody<'static>, ReadError> {
        self.record(Table::Blocks, key, |record| Ok(BlockBody::read(key, record)?.into_owned()))
    }

    pub(crate) fn with_body<T>(
        &self,
        key: u64,
        f: impl FnOnce(&BlockBody<'_>) -> Result<T, FormatError>,
    ) -> Result<T, ReadError> {
        self.record(Table::Blocks, key, |record| f(&BlockBody::read(key, record)?))
    }

    /// Returns the trace with this id, even if other blocks are damaged. `None` only if the whole store is readable.
    pub(crate) fn load(&self, id: RequestId) -> Result<Option<Trace>, ReadError> {
        let (mut candidates, mut damage) = (Vec::new(), None);
        let may_contain = |index: &BlockIndex| index.may_contain(id);
        let scanned = self.for_each_readable_index(may_contain, |key, index| {
            if may_contain(&index) {
                candidates.push((key, index.count));
            }
        });
        for (key, count) in candidates {
            match self.summaries(key, count) {
                Ok(summaries) => {
                    if let Some(position) = summaries.iter().position(|summary| summary.id == id) {
                        return self.load_at(key, position, id).map(Some);
                    }
                }
                Err(error) => damage = Some(error),
            }
        }
        scanned?;
        self.for_each_index(true, |_, _| ControlFlow::Continue(()))?;
        damage.map_or(Ok(None), Err)
    }

    /// Loads the trace at a position of a block, which must have this id.
    pub(crate) fn load_at(&self, key: u64, position: usize, id: RequestId) -> Result<Trace, ReadError> {
        self.with_body(key, |body| {
            let trace = body.trace(position)?;
            if trace.id == id { Ok(trace) } else { Err(FormatError::Misplaced) }
        })
    }
}
