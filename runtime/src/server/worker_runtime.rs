//! The async runtime of one thread. It says when the thread parks, so that it can be given work, and counts how long it is
//! awake.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use crate::scheduler::{Board, Idle, Peers};
use crate::time::Zero;

/// Who is told that a worker goes to sleep.
pub(super) struct Sleep {
    /// Set then.
    pub(super) slept: Arc<AtomicBool>,
    pub(super) idle: Arc<Idle>,
    pub(super) peers: Arc<Peers>,
    /// Its own among them.
    pub(super) number: usize,
}

/// A runtime for one thread, which says when it goes to sleep, and counts on its board how long it is awake.
pub(super) fn runtime(
    sleep: Option<Sleep>,
    board: Option<(&Arc<Board>, &Arc<Zero>)>,
) -> io::Result<LocalRuntime> {
    let mut builder = Builder::new_current_thread();
    if let Some((board, zero)) = board {
        let wakes = sleep.as_ref().map(|sleep| Arc::clone(&sleep.idle));
        let (sleeping, zero_then) = (Arc::clone(board), Arc::clone(zero));
        builder.on_thread_park(move || {
            if let Some(Sleep { slept, idle, peers, number }) = &sleep {
                slept.store(true, Ordering::Relaxed);
                peers.falls_asleep(*number, idle);
            }
            sleeping.sleeps(zero_then.elapsed_ns());
        });
        let (board, zero) = (Arc::clone(board), Arc::clone(zero));
        builder.on_thread_unpark(move || {
            if let Some(idle) = &wakes {
                idle.wakes();
            }
            board.wakes(zero.elapsed_ns());
        });
    }
    builder.enable_all().build_local(LocalOptions::default())
}
