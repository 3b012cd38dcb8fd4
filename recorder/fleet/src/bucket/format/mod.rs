//! The objects of a namespace as bytes, and their names.

pub(crate) mod container;
pub(crate) mod pack;
pub(crate) mod records;
pub(crate) mod segment;
pub(crate) mod segment_name;
