//! The imports of `crate::sync` in files of the runtime that are measured by themselves.

pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering, fence};
