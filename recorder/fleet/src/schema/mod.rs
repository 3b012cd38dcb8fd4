//! The schema of a namespace, and what an operator does with it.

pub(crate) mod init;
pub(crate) mod status;

/// Version of the schema that this build reads and writes.
pub(crate) const VERSION: i32 = 1;
