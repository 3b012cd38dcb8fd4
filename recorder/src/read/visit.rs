//! Visits many traces block by block, so that each block is read once.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::rc::Rc;

use zerver_trace::{Query, RequestId, Trace};

use crate::block::block_index::BlockIndex;
use crate::read::blocks::Wanted;
use crate::read::newest_first::visit_merged;
use crate::read::open_block::{BlockTrace, OpenBlock};
use crate::read::read_error::ReadError;
use crate::read::reader::Reader;

impl Reader {
    /// Calls `f` with every trace that matches a query, newest first, until it breaks. Bodies of blocks are read only if
    /// `f` asks for what they contain, and a damaged one fails only then.
    ///
    /// Only one block is in memory at a time. Traces that are recorded meanwhile are not seen, and blocks that are
    /// removed meanwhile are skipped.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn visit(
        &self,
        query: &Query,
        mut f: impl FnMut(&BlockTrace<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut left = query.limit.unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(());
        }
        let view = self.view()?;
        if view.blocks.is_merged() {
            return visit_merged(&Rc::new(view), query, &mut f);
        }
        let (mut blocks, mut certain) = (Vec::new(), 0_usize);
        let may_match = |index: &BlockIndex| index.may_match(query);
        view.for_each_wanted(&Wanted::Matching(query), may_match, |key, index| {
            if may_match(&index) {
                blocks.push((key, index.count));
                certain = certain.saturating_add(index.certain_matches(query));
            }
            if certain < left { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        drop(view);
        for (key, count) in blocks {
            let Some(block) = self.open_block(key, count)? else { break };
            for position in (0..block.summaries().len()).rev() {
                if left == 0 {
                    return Ok(());
                }
                if !query.matches(&block.summaries()[position]) {
                    continue;
                }
                left -= 1;
                if f(&block.trace_at(position)).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Like [`Reader::visit`], with the traces that have these ids. Traces that are missing are skipped, and so are those
    /// of blocks whose summaries are damaged.
    ///
    /// # Errors
    /// If nothing in the store can be read.
    pub fn visit_ids(
        &self,
        ids: &[RequestId],
        f: impl FnMut(&BlockTrace<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.visit_ids_matching(ids, &Query::default(), f)
    }

    /// Like [`Reader::visit_ids`], but skips blocks in which nothing can match a query. Others may be visited as a whole.
    ///
    /// # Errors
    /// If nothing in the store can be read.
    pub fn visit_ids_matching(
        &self,
        ids: &[RequestId],
        query: &Query,
        mut f: impl FnMut(&BlockTrace<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut left: BTreeSet<RequestId> = ids.iter().copied().collect();
        let mut blocks = Vec::new();
        let may_contain = |index: &BlockIndex| {
            index.min_id <= index.max_id && left.range(index.min_id..=index.max_id).next().is_some()
        };
        let view = self.view()?;
        view.blocks.walk_readable(&Wanted::AnyOf(ids), &may_contain, &mut |key, index| {
            if may_contain(&index) && index.may_match(query) {
                blocks.push((key, index));
            }
        })?;
        drop(view);
        for (key, index) in blocks {
            // Overlapping blocks may have had all of them.
            if left.is_empty() {
                break;
            }
            let block = match self.open_block(key, index.count) {
                Ok(Some(block)) => block,
                Ok(None) => break,
                Err(error) if error.is_outage() => return Err(error),
                Err(_) => continue,
            };
            for position in (0..block.summaries().len()).rev() {
                // A request that was both recorded and imported is there twice.
                if left.remove(&block.summaries()[position].id) && f(&block.trace_at(position)).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Calls `f` with every trace that matches a query, newest first, until it breaks, as [`Reader::visit`] does.
    ///
    /// # Errors
    /// If the store cannot be read, or a trace is damaged.
    pub fn for_each(
        &self,
        query: &Query,
        mut f: impl FnMut(Trace) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut failed = None;
        self.visit(query, |stored| match stored.load() {
            Ok(trace) => f(trace),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Opens a block, or returns `None` if it has been removed. A snapshot keeps the store from reusing space, so every
    /// block has its own.
    fn open_block(&self, key: u64, count: u32) -> Result<Option<OpenBlock>, ReadError> {
        let view = self.view()?;
        if key < view.blocks.range().start {
            return Ok(None);
        }
        OpenBlock::new(Rc::new(view), key, count).map(Some)
    }
}
