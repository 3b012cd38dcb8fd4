//! Rows of a timeline: step runs with their effects and writes, the failure, and gaps in the trace.

pub(crate) mod effect;
pub(crate) mod failure;
pub(crate) mod gap;
pub(crate) mod policy_wait;
pub(crate) mod slot_write;
pub(crate) mod step;
pub(crate) mod timeline;
