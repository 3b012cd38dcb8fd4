//! A value that waits for a thread to which the system may give no core for a long time. Either that thread takes it, or
//! its owner takes it back. Exactly one of them gets it.

use std::sync::{PoisonError, TryLockError};

use crate::sync::{AtomicBool, Mutex, Ordering};

/// A value that can be taken once.
pub(crate) struct TakeOnce<T> {
    value: Mutex<Option<T>>,
    /// Mirrors `value`, so that a check takes no lock. A thread without a core could hold the lock for long.
    is_available: AtomicBool,
}

impl<T> TakeOnce<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(Some(value)), is_available: AtomicBool::new(true) }
    }

    /// Takes the value, unless its owner has taken it back.
    pub(crate) fn take(&self) -> Option<T> {
        self.remove(&mut self.value.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns true if the value has not been taken yet.
    pub(crate) fn is_available(&self) -> bool {
        self.is_available.load(Ordering::Relaxed)
    }

    /// Takes the value back, unless it has been taken or is just being taken. Never waits.
    pub(crate) fn take_back(&self) -> Option<T> {
        match self.value.try_lock() {
            Ok(mut value) => self.remove(&mut value),
            Err(TryLockError::Poisoned(value)) => self.remove(&mut value.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn remove(&self, value: &mut Option<T>) -> Option<T> {
        self.is_available.store(false, Ordering::Relaxed);
        value.take()
    }
}
