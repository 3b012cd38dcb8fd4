//! Verifies every block of a source, wherever it lies.

use std::collections::BTreeMap;

use zerver_trace::SealedBy;

use crate::maintenance::examine::{DamagedBlock, OpenKeys, inspect_block};
use crate::read::blocks::{Order, Wanted};
use crate::read::read_error::ReadError;
use crate::read::reader::Reader;

/// Result of a verification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Number of blocks that were read.
    pub blocks: u64,
    /// Number of readable traces.
    pub traces: u64,
    /// Number of sealed values.
    pub secrets: u64,
    /// The same by the keys under which they are sealed.
    pub secrets_by_key: BTreeMap<SealedBy, u64>,
    /// Blocks that are not what was recorded, by their position.
    pub damaged: Vec<DamagedBlock>,
}

/// Reads every block, and compares its traces with its summaries. Calls `progress` with the number of blocks so far.
///
/// # Errors
/// If the source cannot be read.
pub fn verify(reader: &Reader, progress: &mut dyn FnMut(u64)) -> Result<Verification, ReadError> {
    let view = reader.view()?;
    let mut found = Verification::default();
    for at in view.blocks.positions(view.blocks.range(), Order::OldestFirst) {
        let at = at?;
        progress(found.blocks);
        found.blocks += 1;
        match inspect_block(&view, at, &OpenKeys::new()) {
            Ok((index, secrets)) => {
                found.traces += u64::from(index.count);
                found.secrets += secrets.all;
                for (key, count) in secrets.by_key {
                    *found.secrets_by_key.entry(key).or_default() += count;
                }
                let ids = Wanted::Ids(index.min_id, index.max_id);
                if !is_found(&view, &ids, at)? {
                    let reason =
                        format!("{}: the columns do not match the block", view.blocks.block_name(at));
                    found.damaged.push(DamagedBlock { key: at, reason });
                }
            }
            Err(error @ ReadError::Fleet { .. }) => return Err(error),
            Err(error) => found.damaged.push(DamagedBlock { key: at, reason: error.to_string() }),
        }
    }
    Ok(found)
}

/// Returns true if a search for the ids of a block finds it.
fn is_found(
    view: &crate::read::store_view::StoreView,
    wanted: &Wanted<'_>,
    at: u64,
) -> Result<bool, ReadError> {
    let mut is_found = false;
    view.blocks.walk_readable(wanted, &|_| true, &mut |found, _| is_found |= found == at)?;
    Ok(is_found)
}
