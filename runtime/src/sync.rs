//! Synchronization primitives. `tests/threads` compiles the modules that import them from here a second time, against loom,
//! which tries all interleavings of the threads.

pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};

pub(crate) use tokio::sync::Notify;
