//! Structures through which threads communicate. `tests/threads` has loom check them in every interleaving.

pub(super) mod current_step;
pub(super) mod park_state;
pub(super) mod producer_latch;
pub(super) mod steal_queue;
pub(super) mod take_once;
