//! Merges the requests of several nodes, newest first.

use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::rc::Rc;

use zerver_trace::Query;

use crate::block::block_index::BlockIndex;
use crate::read::blocks::Wanted;
use crate::read::open_block::{BlockTrace, OpenBlock};
use crate::read::read_error::ReadError;
use crate::read::store_view::StoreView;

/// A request that was found and waits for those that began after it.
struct Found {
    started_unix_ns: u64,
    at: u64,
    position: usize,
    block: Rc<OpenBlock>,
}

impl Found {
    fn rank(&self) -> (u64, u64, usize) {
        (self.started_unix_ns, self.at, self.position)
    }
}

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Found {}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Found {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// Calls `f` with every request that matches a query, in the order in which they began, the latest first, until it
/// breaks. Ends after [`Query::limit`] requests. Blocks must be walked in the order of their latest request, so that only
/// those which overlap in time are in memory.
pub(super) fn visit_merged(
    view: &Rc<StoreView>,
    query: &Query,
    f: &mut dyn FnMut(&BlockTrace<'_>) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let mut left = query.limit.unwrap_or(usize::MAX);
    let (mut waiting, mut failed): (BinaryHeap<Found>, _) = (BinaryHeap::new(), None);
    // Hands out what began after `until`: nothing newer follows.
    let mut hand_out = |waiting: &mut BinaryHeap<Found>, until: Option<u64>| {
        while let Some(newest) = waiting.peek() {
            if left == 0 {
                return ControlFlow::Break(());
            }
            if until.is_some_and(|until| newest.started_unix_ns <= until) {
                break;
            }
            let Some(newest) = waiting.pop() else { break };
            // Once it breaks, it is not called again.
            left = if f(&newest.block.trace_at(newest.position)).is_break() { 0 } else { left - 1 };
        }
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let may_match = |index: &BlockIndex| index.may_match(query);
    view.for_each_wanted(&Wanted::Matching(query), may_match, |at, index| {
        hand_out(&mut waiting, Some(index.max_started))?;
        if !may_match(&index) {
            return ControlFlow::Continue(());
        }
        match OpenBlock::new(Rc::clone(view), at, index.count) {
            Ok(block) => {
                let block = Rc::new(block);
                let matching = block.summaries().iter().enumerate().filter(|(_, found)| query.matches(found));
                waiting.extend(matching.map(|(position, found)| Found {
                    started_unix_ns: found.started_unix_ns,
                    at,
                    position,
                    block: Rc::clone(&block),
                }));
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    let _ = hand_out(&mut waiting, None);
    Ok(())
}
