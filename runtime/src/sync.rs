//! Where threads meet. What names this, and not the standard library, is compiled a second time by `tests/threads`,
//! against loom, which tries all orders in which the threads may come.

pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};

pub(crate) use tokio::sync::Notify;
