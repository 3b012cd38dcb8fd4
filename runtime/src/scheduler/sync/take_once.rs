//! Something that waits for a thread which may be without a core for long: that thread takes it, or it is taken back.
//! One of the two gets it.

use std::sync::{PoisonError, TryLockError};

use crate::sync::{AtomicBool, Mutex, Ordering};

pub(crate) struct TakeOnce<T> {
    value: Mutex<Option<T>>,
    /// So that looking takes no lock, with which its thread could be without a core.
    is_available: AtomicBool,
}

impl<T> TakeOnce<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(Some(value)), is_available: AtomicBool::new(true) }
    }

    /// Takes it, unless it has been taken back.
    pub(crate) fn take(&self) -> Option<T> {
        self.remove(&mut self.value.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it has not been taken yet.
    pub(crate) fn is_available(&self) -> bool {
        self.is_available.load(Ordering::Relaxed)
    }

    /// Takes it back, unless it has been taken or is being taken just now. It never waits.
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
