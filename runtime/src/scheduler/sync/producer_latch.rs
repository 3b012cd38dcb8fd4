//! Where threads of low priority wait for requests. Who has a valid pass may hand one over; once nobody has one any more,
//! and all that was handed over is taken, the threads end.

use crate::sync::{AtomicU8, AtomicUsize, Notify, Ordering};

pub(crate) struct Door {
    /// How many passes are valid. Never fewer than it says, so that nobody ends too early.
    valid: AtomicUsize,
    /// The service's own, with which the threads stay also while all workers hang.
    own: Pass,
    bell: Notify,
}

/// Whether a worker may hand requests over.
#[derive(Debug, Default)]
pub(crate) struct Pass(AtomicU8);

const NONE: u8 = 0;
const VALID: u8 = 1;
/// Its worker hangs, and is not waited for.
const RESTS: u8 = 2;
const RETURNED: u8 = 3;

impl Door {
    pub(crate) fn new() -> Self {
        Self { valid: AtomicUsize::new(1), own: Pass(AtomicU8::new(VALID)), bell: Notify::new() }
    }

    /// There is one more worker.
    pub(crate) fn comes(&self, pass: &Pass) {
        self.admit(pass, NONE);
    }

    /// It hangs.
    pub(crate) fn rests(&self, pass: &Pass) {
        if pass.change(VALID, RESTS) {
            self.one_less();
        }
    }

    /// It hangs no more.
    pub(crate) fn goes_on(&self, pass: &Pass) {
        self.admit(pass, RESTS);
    }

    /// It hands nothing over any more.
    pub(crate) fn leaves(&self, pass: &Pass) {
        if pass.0.swap(RETURNED, Ordering::AcqRel) == VALID {
            self.one_less();
        }
    }

    /// The service stops: the threads end after the last worker.
    pub(crate) fn closes(&self) {
        self.leaves(&self.own);
    }

    /// Something has been handed over.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits for what `look` finds; it also says whether there is more. None once nothing comes any more.
    pub(crate) async fn next<T>(&self, mut look: impl FnMut() -> Option<(T, bool)>) -> Option<T> {
        loop {
            // Read before it looks, so that all that was handed over by then is found.
            let is_over = self.valid.load(Ordering::Acquire) == 0;
            match look() {
                Some((found, has_more)) => {
                    if has_more {
                        self.ring();
                    }
                    return Some(found);
                }
                None if is_over => {
                    // To the next.
                    self.ring();
                    return None;
                }
                // A ring that comes before it listens is kept for it.
                None => self.bell.notified().await,
            }
        }
    }

    /// Counted before it is valid: who returns it meanwhile finds it counted.
    fn admit(&self, pass: &Pass, from: u8) {
        self.valid.fetch_add(1, Ordering::AcqRel);
        if !pass.change(from, VALID) {
            self.one_less();
        }
    }

    fn one_less(&self) {
        if self.valid.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.ring();
        }
    }
}

impl Pass {
    fn change(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
