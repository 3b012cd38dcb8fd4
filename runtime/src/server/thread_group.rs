//! Joins the threads of a service when it stops.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::scheduler::{BatchStatus, ThreadStatus};

/// Interval between checks for stuck threads.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// The threads of a service.
#[derive(Default)]
pub(super) struct ThreadGroup {
    all: Mutex<Vec<(JoinHandle<()>, Arc<ThreadStatus>)>>,
    one_ended: Condvar,
}

impl ThreadGroup {
    /// Waits until all threads have ended except for those that are stuck, and returns the stuck ones.
    pub(super) fn join(&self) -> Vec<Arc<ThreadStatus>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            for (thread, _) in all.extract_if(.., |(_, thread_status)| thread_status.has_ended()) {
                let _ = thread.join();
            }
            if all.iter().all(|(_, thread_status)| thread_status.is_stuck()) {
                return all.iter().map(|(_, thread_status)| Arc::clone(thread_status)).collect();
            }
            all = self.one_ended.wait_timeout(all, CHECK_INTERVAL).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn add(&self, thread: JoinHandle<()>, thread_status: Arc<ThreadStatus>) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push((thread, thread_status));
    }

    fn mark_ended(&self, thread_status: &ThreadStatus) {
        // The lock ensures that `join` neither misses the notification between its check and its wait nor joins a
        // thread that still waits for the lock.
        let _all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        thread_status.set_ended();
        self.one_ended.notify_all();
    }
}

/// Marks a thread as ended when dropped, even if the thread panics.
pub(super) struct ExitGuard {
    pub(super) threads: Arc<ThreadGroup>,
    pub(super) thread_status: Arc<ThreadStatus>,
    pub(super) batch: Option<Arc<BatchStatus>>,
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        // A thread that has panicked has not released its latch.
        if let Some(batch) = &self.batch {
            batch.latch.release(&self.thread_status.pass);
        }
        self.threads.mark_ended(&self.thread_status);
    }
}
