//! The batch pool: requests that run on threads of low priority.

pub(super) mod batch_handoff;
pub(super) mod batch_pool;
pub(super) mod batch_status;
pub(super) mod batch_worker;
