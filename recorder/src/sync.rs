//! Where threads meet. What names this, and not the standard library, is compiled a second time by `tests/threads`,
//! against loom, which tries all orders in which the threads may come.

pub(crate) use std::sync::OnceLock;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
pub(crate) use std::thread::{Thread, current, park_timeout};

pub(crate) use crossbeam_channel::{Receiver, Sender, bounded};
