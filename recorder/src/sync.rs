//! The synchronization types of code that is also compiled against loom.
//!
//! Files that use this module instead of the standard library are compiled a second time by `tests/threads`. There loom
//! runs their tests under every order of the threads.

pub(crate) use std::sync::OnceLock;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
pub(crate) use std::thread::{Thread, current, park_timeout};

pub(crate) use crossbeam_channel::{Receiver, Sender, bounded};
