//! Something that waits for a thread which may be without a core for long: that thread takes it, or it is taken back.
//! One of the two gets it.

use std::sync::{PoisonError, TryLockError};

use crate::sync::{AtomicBool, Mutex, Ordering};

pub(crate) struct Held<T> {
    value: Mutex<Option<T>>,
    /// So that looking takes no lock, with which its thread could be without a core.
    is_there: AtomicBool,
}

impl<T> Held<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(Some(value)), is_there: AtomicBool::new(true) }
    }

    /// Takes it, unless it has been taken back.
    pub(crate) fn take(&self) -> Option<T> {
        self.out(&mut self.value.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it has not been taken yet.
    pub(crate) fn is_there(&self) -> bool {
        self.is_there.load(Ordering::Relaxed)
    }

    /// Takes it back, unless it has been taken or is being taken just now. It never waits.
    pub(crate) fn take_back(&self) -> Option<T> {
        match self.value.try_lock() {
            Ok(mut value) => self.out(&mut value),
            Err(TryLockError::Poisoned(value)) => self.out(&mut value.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn out(&self, value: &mut Option<T>) -> Option<T> {
        self.is_there.store(false, Ordering::Relaxed);
        value.take()
    }
}
