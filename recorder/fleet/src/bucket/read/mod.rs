//! Reads the blocks of a namespace in a bucket.

pub(crate) mod bucket_blocks;
pub(crate) mod bucket_view;
mod catalog;
mod shared_bucket;
mod tail_cache;
mod unit_walk;
