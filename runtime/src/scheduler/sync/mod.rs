//! Where threads meet: `tests/threads` has loom try all orders in which they may come.

pub(super) mod current_step;
pub(super) mod park_state;
pub(super) mod producer_latch;
pub(super) mod steal_queue;
pub(super) mod take_once;
