//! Whether a worker has nothing to do, for others to give it something.

use crate::sync::{AtomicU8, Ordering};

/// Each time it falls asleep, one gets it.
#[derive(Debug, Default)]
pub(crate) struct ParkState(AtomicU8);

/// It sleeps, and has been given nothing since.
const PARKED: u8 = 1;
/// It sleeps, and somebody gives it something.
const CLAIMED: u8 = 2;
const AWAKE: u8 = 0;

impl ParkState {
    /// It falls asleep.
    pub(crate) fn park(&self) {
        // No plain store: loom takes one for possible that comes between a swap and what that has read.
        self.0.swap(PARKED, Ordering::AcqRel);
    }

    /// It has woken up.
    pub(crate) fn unpark(&self) {
        self.0.swap(AWAKE, Ordering::AcqRel);
    }

    /// Whether it is idle, and nobody else claims it.
    pub(crate) fn claim(&self) -> bool {
        self.0.load(Ordering::Relaxed) == PARKED && self.transition(PARKED, CLAIMED)
    }

    /// Who has claimed it has nothing for it.
    pub(crate) fn release(&self) {
        self.transition(CLAIMED, PARKED);
    }

    fn transition(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
