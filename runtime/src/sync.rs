//! Synchronization primitives that loom can replace. Files that import them from here, and not from the standard library,
//! are compiled a second time by `tests/threads` against loom, which checks every interleaving of the threads.

pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};

pub(crate) use tokio::sync::Notify;
