//! Finds what differs between two traces.

pub(crate) mod differences;
pub(crate) mod http_message;
pub(crate) mod outcome;
pub(crate) mod run_differences;
pub(crate) mod slot_writes;
pub(crate) mod value_changes;
