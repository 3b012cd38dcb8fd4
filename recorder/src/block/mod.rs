//! Blocks: about a hundred traces that are written and removed together.

pub(crate) mod block_body;
pub(crate) mod block_builder;
pub(crate) mod block_index;
mod compact_id;
pub(crate) mod stored_trace;
pub(crate) mod summaries;
mod trace_shape;
