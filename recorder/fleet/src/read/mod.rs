//! The database of a fleet as a source of blocks.

mod block_select;
pub(crate) mod fleet_blocks;
mod fleet_view;
