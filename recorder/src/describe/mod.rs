//! Turns captures into traces that can be stored, each part of them once for a block, with their secrets taken out.

pub(crate) mod describer;
pub(crate) mod part_secrets;
pub(crate) mod part_table;
pub(crate) mod value_interner;
