//! Barrier at which threads wait for each other when the service stops, because a thread may still run a request of
//! another. Threads that are stuck in a step or have ended are not waited for.

use std::time::Duration;

use tokio::sync::Notify;

use crate::scheduler::{SchedulerState, ThreadStatus};

/// Interval between checks for stuck threads.
pub(crate) const CHECK_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub(crate) struct ExitBarrier(Notify);

impl ExitBarrier {
    /// Marks the thread as done, and waits until all threads are done, but no longer than `timeout`.
    pub(crate) async fn wait(
        &self,
        thread_status: &ThreadStatus,
        scheduler: &SchedulerState,
        timeout: Duration,
    ) {
        thread_status.set_done();
        self.0.notify_waiters();
        let all = async {
            loop {
                let changed = self.0.notified();
                if scheduler.threads().iter().all(|(_, thread_status)| !thread_status.is_waited_for()) {
                    return;
                }
                let _ = tokio::time::timeout(CHECK_INTERVAL, changed).await;
            }
        };
        let _ = tokio::time::timeout(timeout, all).await;
        self.0.notify_waiters();
    }
}
