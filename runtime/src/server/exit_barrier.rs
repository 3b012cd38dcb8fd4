//! How threads leave when the service stops: together, for one may still run a request of another. Nobody waits for a
//! thread that hangs in a step, for one that has ended, or for more than there is in flight.

use std::time::Duration;

use tokio::sync::Notify;

use crate::scheduler::{Board, Shared};

/// How often to look whether a thread that is waited for hangs.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub(crate) struct Leave(Notify);

impl Leave {
    /// The thread of this board has nothing left to do. Waits until that holds for all, but no longer than `at_most`.
    pub(crate) async fn together(&self, board: &Board, shared: &Shared, at_most: Duration) {
        board.done();
        self.0.notify_waiters();
        let all = async {
            loop {
                let one = self.0.notified();
                if shared.boards().iter().all(|(_, board)| !board.is_waited_for()) {
                    return;
                }
                let _ = tokio::time::timeout(LOOK, one).await;
            }
        };
        let _ = tokio::time::timeout(at_most, all).await;
        self.0.notify_waiters();
    }
}
