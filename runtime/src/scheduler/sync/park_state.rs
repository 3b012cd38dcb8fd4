//! The park state of a worker: awake, parked, or parked and claimed by a thread that brings it work.

use crate::sync::{AtomicU8, Ordering};

/// State of a worker's thread. Each time it parks, at most one other thread can claim it.
#[derive(Debug, Default)]
pub(crate) struct ParkState(AtomicU8);

/// The thread is parked, and has been given nothing since.
const PARKED: u8 = 1;
/// The thread is parked, and another thread has claimed it in order to give it work.
const CLAIMED: u8 = 2;
const AWAKE: u8 = 0;

impl ParkState {
    /// Records that the thread is about to park.
    pub(crate) fn park(&self) {
        // A plain store would do, but loom's model allows a store to come between the read and the write of a swap.
        self.0.swap(PARKED, Ordering::AcqRel);
    }

    /// Records that the thread has woken up.
    pub(crate) fn unpark(&self) {
        self.0.swap(AWAKE, Ordering::AcqRel);
    }

    /// Claims the worker. Returns false if it is awake or already claimed.
    pub(crate) fn claim(&self) -> bool {
        self.0.load(Ordering::Relaxed) == PARKED && self.transition(PARKED, CLAIMED)
    }

    /// Gives up a claim without giving the worker anything.
    pub(crate) fn release(&self) {
        self.transition(CLAIMED, PARKED);
    }

    fn transition(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
