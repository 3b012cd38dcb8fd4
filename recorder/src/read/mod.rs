//! The reading side, which works while another process writes.

pub(crate) mod id_digits;
pub(crate) mod pages;
pub(crate) mod reader;
pub(crate) mod trace_lookup;
pub(crate) mod unsealed;
