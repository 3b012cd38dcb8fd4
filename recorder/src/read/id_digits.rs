//! Computes the number of leading digits that identify an id among all ids in the store.

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::ControlFlow;

use zerver_trace::RequestId;

use crate::block::block_index::BlockIndex;
use crate::read::blocks::Wanted;
use crate::read::read_error::ReadError;
use crate::read::reader::Reader;

impl Reader {
    /// Returns the minimum number of leading hexadecimal digits that distinguish each of `ids` from every other id in
    /// the store, and from one another. With fewer digits, at least one of them would be ambiguous. Between 1 and 32,
    /// or 0 if `ids` is empty.
    ///
    /// The ids need not be in the store.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn unique_digits(&self, ids: &[RequestId]) -> Result<usize, ReadError> {
        let mut wanted = ids.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(0);
        }
        let mut shared = wanted.windows(2).map(|pair| pair[0].shared_digits(pair[1])).max().unwrap_or(0);
        let view = self.view()?;
        // In the order of ids, the one with the longest common prefix is a neighbor. A block that lies entirely before
        // or after an id therefore matters only by its nearer end, which its index contains. Only a few blocks must be
        // read.
        let mut to_read: HashMap<u64, u32> = HashMap::new();
        let shared_with_ends = Cell::new(shared);
        // Takes the ends of a block or a group into account. Returns true if a wanted id lies between them.
        let may_contain = |index: &BlockIndex| {
            if index.count == 0 {
                return false;
            }
            let first_inside = wanted.partition_point(|id| *id < index.min_id);
            let first_after = wanted.partition_point(|id| *id <= index.max_id);
            let before = first_inside.checked_sub(1).map(|before| wanted[before].shared_digits(index.min_id));
            let after = wanted.get(first_after).map(|after| after.shared_digits(index.max_id));
            let nearest = before.into_iter().chain(after).fold(shared_with_ends.get(), usize::max);
            shared_with_ends.set(nearest);
            first_inside < first_after
        };
        view.for_each_wanted(&Wanted::Around(&wanted), may_contain, |key, index| {
            if may_contain(&index) {
                to_read.insert(key, index.count);
            }
            ControlFlow::Continue(())
        })?;
        shared = shared_with_ends.get();
        for (key, count) in to_read {
            for summary in view.summaries(key, count)? {
                let at = wanted.partition_point(|id| *id < summary.id);
                let after = wanted.get(at).filter(|id| **id != summary.id).or_else(|| wanted.get(at + 1));
                let neighbors = at.checked_sub(1).map(|before| &wanted[before]).into_iter().chain(after);
                shared = neighbors.map(|id| id.shared_digits(summary.id)).fold(shared, usize::max);
            }
        }
        Ok((shared + 1).min(32))
    }
}
