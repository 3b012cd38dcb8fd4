//! The threads of a service, and how they are waited for when it stops.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::scheduler::{BatchStatus, Board};

/// How often to look whether a thread that has not ended hangs.
const LOOK: Duration = Duration::from_millis(50);

/// The threads of a service.
#[derive(Default)]
pub(super) struct Threads {
    all: Mutex<Vec<(JoinHandle<()>, Arc<Board>)>>,
    one_ended: Condvar,
}

impl Threads {
    /// Waits for all to end but those that hang, and gives these.
    pub(super) fn join(&self) -> Vec<Arc<Board>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            for (thread, _) in all.extract_if(.., |(_, board)| board.has_ended()) {
                let _ = thread.join();
            }
            if all.iter().all(|(_, board)| board.is_stuck()) {
                return all.iter().map(|(_, board)| Arc::clone(board)).collect();
            }
            all = self.one_ended.wait_timeout(all, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn add(&self, thread: JoinHandle<()>, board: Arc<Board>) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push((thread, board));
    }

    fn ended(&self, board: &Board) {
        // Whoever waits must not miss it between its look and its wait, nor join a thread that waits for this lock.
        let _all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        board.leave();
        self.one_ended.notify_all();
    }
}

/// Says that a thread has ended, however it does.
pub(super) struct Ends {
    pub(super) threads: Arc<Threads>,
    pub(super) board: Arc<Board>,
    pub(super) batch: Option<Arc<BatchStatus>>,
}

impl Drop for Ends {
    fn drop(&mut self) {
        // A thread that has panicked did not say so.
        if let Some(batch) = &self.batch {
            batch.door.leaves(&self.board.pass);
        }
        self.threads.ended(&self.board);
    }
}
