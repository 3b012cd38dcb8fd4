//! Visits of the blocks that a store finds, whichever store it is.

use std::ops::ControlFlow;

use zerver_recorder::{BlockIndex, ReadError};

/// Receives the position of a block and its index, or why that cannot be read.
pub(crate) type Found<'f> = dyn FnMut(u64, Result<BlockIndex, ReadError>) -> ControlFlow<()> + 'f;

/// Passes on the blocks that may contain what is wanted. A block that cannot be read ends the search with its error.
pub(crate) fn each(
    find: impl FnOnce(&mut Found<'_>) -> Result<(), ReadError>,
    may_contain: &mut dyn FnMut(&BlockIndex) -> bool,
    f: &mut dyn FnMut(u64, BlockIndex) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let mut failed = None;
    find(&mut |at, index| match index {
        Ok(index) if may_contain(&index) => f(at, index),
        Ok(_) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(()), Err)
}

/// Passes on the blocks that may contain what is wanted, without those that cannot be read.
pub(crate) fn each_readable(
    find: impl FnOnce(&mut Found<'_>) -> Result<(), ReadError>,
    may_contain: &dyn Fn(&BlockIndex) -> bool,
    f: &mut dyn FnMut(u64, BlockIndex),
) -> Result<(), ReadError> {
    find(&mut |at, index| {
        if let Ok(index) = index
            && may_contain(&index)
        {
            f(at, index);
        }
        ControlFlow::Continue(())
    })
}
