//! What the tested files find in the place of their own `sync`: loom's types, and models of those that loom has not.

use std::time::Duration;

/// Set once, before there is a second thread.
pub(crate) use std::sync::OnceLock;

pub(crate) use loom::sync::Mutex;
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
pub(crate) use loom::thread::{Thread, current};

pub(crate) use crate::notify::Notify;
pub(crate) use crate::ring::{Receiver, Sender, bounded};

/// No time passes: who is not woken sleeps for ever, and loom says so.
pub(crate) fn park_timeout(_at_most: Duration) {
    loom::thread::park();
}
