//! Something that waits for a thread which may be without a core for long: that thread takes it, or it is taken back.
//! One of the two gets it.

use std::sync::{Mutex, PoisonError, TryLockError};

pub(super) struct Held<T>(Mutex<Option<T>>);

impl<T> Held<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(Mutex::new(Some(value)))
    }

    /// Takes it, unless it has been taken back.
    pub(super) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether it has not been taken yet.
    pub(super) fn is_there(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes it back, unless it has been taken or is being looked at just now. It never waits.
    pub(super) fn take_back(&self) -> Option<T> {
        match self.0.try_lock() {
            Ok(mut value) => value.take(),
            Err(TryLockError::Poisoned(value)) => value.into_inner().take(),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}
