//! The threads of a service, and how they are waited for when it stops.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::scheduler::{BatchStatus, ThreadStatus};

/// How often to look whether a thread that has not ended hangs.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// The threads of a service.
#[derive(Default)]
pub(super) struct ThreadGroup {
    all: Mutex<Vec<(JoinHandle<()>, Arc<ThreadStatus>)>>,
    one_ended: Condvar,
}

impl ThreadGroup {
    /// Waits for all to end but those that hang, and gives these.
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

    fn ended(&self, thread_status: &ThreadStatus) {
        // Whoever waits must not miss it between its look and its wait, nor join a thread that waits for this lock.
        let _all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        thread_status.set_ended();
        self.one_ended.notify_all();
    }
}

/// Says that a thread has ended, however it does.
pub(super) struct ExitGuard {
    pub(super) threads: Arc<ThreadGroup>,
    pub(super) thread_status: Arc<ThreadStatus>,
    pub(super) batch: Option<Arc<BatchStatus>>,
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        // A thread that has panicked did not say so.
        if let Some(batch) = &self.batch {
            batch.latch.release(&self.thread_status.pass);
        }
        self.threads.ended(&self.thread_status);
    }
}
