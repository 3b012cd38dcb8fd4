//! Blocks of about a hundred traces, which are written and removed together.
//!
//! A block is three records under the same key: the *index*, which is small and read by every search; the *summaries*,
//! read by lists; and the *body*, read to load a trace. Keys are consecutive, so a missing block is noticed. The index of
//! a *group* of blocks lets a search skip all of them at once.
//!
//! Must not know where records are kept.

pub(crate) mod block_body;
pub(crate) mod block_builder;
pub(crate) mod block_group;
pub(crate) mod block_index;
mod compact_id;
mod pieces;
pub(crate) mod slot_index;
pub(crate) mod stored_trace;
pub(crate) mod summaries;
pub(crate) mod trace_outline;
mod trace_shape;
pub(crate) mod trace_values;
