//! Replacement for the `sync` module of the tested files: types of loom, and models of types that loom lacks.

use std::time::Duration;

/// A value that is set once, before there is a second thread.
pub(crate) use std::sync::OnceLock;

pub(crate) use loom::sync::Mutex;
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
pub(crate) use loom::thread::{Thread, current};

pub(crate) use crate::notify::Notify;
pub(crate) use crate::ring::{Receiver, Sender, bounded};

/// A wait without timeout: a thread that is not woken sleeps forever, which loom reports.
pub(crate) fn park_timeout(_at_most: Duration) {
    loom::thread::park();
}
