//! Blocks: about a hundred traces that are written and removed together.

pub(crate) mod block_builder;
pub(crate) mod block_index;
pub(crate) mod stored_trace;
pub(crate) mod summaries;
