//! The blocks in the folder of a store, where redb holds them.

mod block_walk;
pub(crate) mod folder_blocks;
pub(crate) mod folder_view;
