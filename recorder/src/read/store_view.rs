//! A consistent view of a store, which checks that its blocks are complete.

use std::ops::ControlFlow;

use zerver_trace::{RequestId, Summary, Trace};

use crate::block::block_body::BlockBody;
use crate::block::block_index::BlockIndex;
use crate::block::summaries;
use crate::format::FormatError;
use crate::read::blocks::{BlockPart, BlocksView, Order, Wanted};
use crate::read::read_error::ReadError;

/// The store at one moment.
pub(crate) struct StoreView<V: BlocksView + ?Sized = dyn BlocksView> {
    pub(crate) blocks: Box<V>,
}

impl<V: BlocksView + ?Sized> StoreView<V> {
    /// Returns the position of the newest block.
    pub(crate) fn last_position(&self) -> Option<u64> {
        let range = self.blocks.range();
        (range.start < range.end).then(|| range.end - 1)
    }

    /// Reads a record of a block. Returns `None` if there is none.
    fn find<T>(
        &self,
        part: BlockPart,
        at: u64,
        read: impl FnOnce(u64, &[u8]) -> Result<T, FormatError>,
    ) -> Result<Option<T>, ReadError> {
        let (mut read, mut found) = (Some(read), None);
        self.blocks.read(part, at, &mut |key, record| found = read.take().map(|read| read(key, record)))?;
        found.transpose().map_err(|error| self.block_error(at, &error))
    }

    fn record<T>(
        &self,
        part: BlockPart,
        at: u64,
        read: impl FnOnce(u64, &[u8]) -> Result<T, FormatError>,
    ) -> Result<T, ReadError> {
        self.find(part, at, read)?.ok_or_else(|| self.block_error(at, &"missing"))
    }

    /// Returns the error for a block that cannot be read.
    pub(crate) fn block_error(&self, at: u64, error: &dyn std::fmt::Display) -> ReadError {
        self.blocks.damaged(&self.blocks.block_name(at), error)
    }

    pub(crate) fn index(&self, at: u64) -> Result<BlockIndex, ReadError> {
        self.record(BlockPart::Index, at, BlockIndex::read)
    }

    /// Reads the summaries of a block, which must be `count`, as its index states.
    pub(crate) fn summaries(&self, at: u64, count: u32) -> Result<Vec<Summary>, ReadError> {
        self.record(BlockPart::Summaries, at, |key, record| {
            let summaries = summaries::read(key, record)?;
            if summaries.len() == count as usize { Ok(summaries) } else { Err(FormatError::Misplaced) }
        })
    }

    /// Returns true if the source still has a block.
    pub(crate) fn is_there(&self, at: u64) -> Result<bool, ReadError> {
        Ok(self.find(BlockPart::Index, at, |_, _| Ok(()))?.is_some())
    }

    /// Reads the first `count` summaries of a block, to which others may have been added since.
    pub(crate) fn first_summaries(&self, at: u64, count: u32) -> Result<Vec<Summary>, ReadError> {
        self.record(BlockPart::Summaries, at, |key, record| {
            let mut summaries = summaries::read(key, record)?;
            if summaries.len() < count as usize {
                return Err(FormatError::Misplaced);
            }
            summaries.truncate(count as usize);
            Ok(summaries)
        })
    }

    /// Reads the body of a block into memory.
    pub(crate) fn body(&self, at: u64) -> Result<BlockBody<'static>, ReadError> {
        self.record(BlockPart::Body, at, |key, record| Ok(BlockBody::read(key, record)?.into_owned()))
    }

    pub(crate) fn with_body<T>(
        &self,
        at: u64,
        f: impl FnOnce(&BlockBody<'_>) -> Result<T, FormatError>,
    ) -> Result<T, ReadError> {
        self.record(BlockPart::Body, at, |key, record| f(&BlockBody::read(key, record)?))
    }

    /// Calls `f` with the index of every block until it breaks. A missing or damaged block is an error.
    pub(crate) fn for_each_index(
        &self,
        order: Order,
        mut f: impl FnMut(u64, BlockIndex) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.blocks.walk(&Wanted::Every, order, &mut |_| true, &mut f)
    }

    /// Like [`StoreView::for_each_index`], newest first, but may skip blocks that are not wanted, and those for whose
    /// index, or that of several blocks, `may_contain` returns false.
    pub(crate) fn for_each_wanted(
        &self,
        wanted: &Wanted<'_>,
        mut may_contain: impl FnMut(&BlockIndex) -> bool,
        mut f: impl FnMut(u64, BlockIndex) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.blocks.walk(wanted, Order::NewestFirst, &mut may_contain, &mut f)
    }

    /// Returns the trace with this id, even if other blocks are damaged. `None` only if the whole store is readable.
    pub(crate) fn load(&self, id: RequestId) -> Result<Option<Trace>, ReadError> {
        let (mut candidates, mut damage) = (Vec::new(), None);
        let may_contain = |index: &BlockIndex| index.may_contain(id);
        let scanned = self.blocks.walk_readable(&Wanted::Ids(id, id), &may_contain, &mut |at, index| {
            if may_contain(&index) {
                candidates.push((at, index.count));
            }
        });
        for (at, count) in candidates {
            match self.summaries(at, count) {
                Ok(summaries) => {
                    if let Some(position) = summaries.iter().position(|summary| summary.id == id) {
                        return self.load_at(at, position, id).map(Some);
                    }
                }
                Err(error) => damage = Some(error),
            }
        }
        scanned?;
        // A fleet finds the blocks by their bounds, and damage elsewhere hides nothing from it.
        if self.blocks.is_merged() {
            self.for_each_wanted(&Wanted::Ids(id, id), |_| true, |_, _| ControlFlow::Continue(()))?;
        } else {
            self.for_each_index(Order::NewestFirst, |_, _| ControlFlow::Continue(()))?;
        }
        damage.map_or(Ok(None), Err)
    }

    /// Loads the trace at a position of a block, which must have this id.
    pub(crate) fn load_at(&self, at: u64, position: usize, id: RequestId) -> Result<Trace, ReadError> {
        self.with_body(at, |body| {
            let trace = body.trace(position)?;
            if trace.id == id { Ok(trace) } else { Err(FormatError::Misplaced) }
        })
    }
}
