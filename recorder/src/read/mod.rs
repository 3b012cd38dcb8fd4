//! The reading side. It works while another process writes, and after a writer was killed.
//!
//! Whatever the file contains, the result is what was recorded, or an error.

pub(crate) mod blocks;
pub(crate) mod folder;
mod id_digits;
mod newest_first;
pub(crate) mod open_block;
pub(crate) mod pages;
pub(crate) mod read_error;
pub(crate) mod reader;
pub(crate) mod store_counts;
pub(crate) mod store_view;
pub(crate) mod trace_lookup;
mod unsealed;
mod visit;
