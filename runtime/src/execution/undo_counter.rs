//! Counts the requests that are being undone, so that a service that stops can wait for them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Counts the requests that are being undone, so that a service that stops can wait for them.
#[derive(Default)]
pub(crate) struct UndoCounter(Mutex<usize>, Condvar);

/// A request that is being undone.
pub(crate) struct UndoGuard(Arc<UndoCounter>);

impl UndoCounter {
    pub(crate) fn begin(self: &Arc<Self>) -> UndoGuard {
        *self.lock() += 1;
        UndoGuard(Arc::clone(self))
    }

    /// Waits until none is left, or the time is over. This blocks.
    pub(crate) fn wait(&self, within: Duration) {
        let waited = self.1.wait_timeout_while(self.lock(), within, |count| *count > 0);
        drop(waited);
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UndoGuard {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.1.notify_all();
    }
}
