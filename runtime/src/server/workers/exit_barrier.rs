//! How threads leave when the service stops: together, for one may still run a request of another. Nobody waits for a
//! thread that hangs in a step, for one that has ended, or for more than there is in flight.

use std::time::Duration;

use tokio::sync::Notify;

use crate::scheduler::{SchedulerState, ThreadStatus};

/// How often to look whether a thread that is waited for hangs.
pub(crate) const CHECK_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub(crate) struct ExitBarrier(Notify);

impl ExitBarrier {
    /// The thread of this board has nothing left to do. Waits until that holds for all, but no longer than `at_most`.
    pub(crate) async fn wait(
        &self,
        thread_status: &ThreadStatus,
        scheduler: &SchedulerState,
        at_most: Duration,
    ) {
        thread_status.set_done();
        self.0.notify_waiters();
        let all = async {
            loop {
                let one = self.0.notified();
                if scheduler.threads().iter().all(|(_, thread_status)| !thread_status.is_waited_for()) {
                    return;
                }
                let _ = tokio::time::timeout(CHECK_INTERVAL, one).await;
            }
        };
        let _ = tokio::time::timeout(at_most, all).await;
        self.0.notify_waiters();
    }
}
