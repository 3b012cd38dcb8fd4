//! Where threads of low priority wait for requests. Who has a valid pass may hand one over; once nobody has one any more,
//! and all that was handed over is taken, the threads end.

use crate::sync::{AtomicU8, AtomicUsize, Notify, Ordering};

pub(crate) struct ProducerLatch {
    /// How many passes are valid. Never fewer than it says, so that nobody ends too early.
    valid: AtomicUsize,
    /// The service's own, with which the threads stay also while all workers hang.
    own: ProducerPass,
    wakeup: Notify,
}

/// Whether a worker may hand requests over.
#[derive(Debug, Default)]
pub(crate) struct ProducerPass(AtomicU8);

const UNREGISTERED: u8 = 0;
const VALID: u8 = 1;
/// Its worker hangs, and is not waited for.
const SUSPENDED: u8 = 2;
const RELEASED: u8 = 3;

impl ProducerLatch {
    pub(crate) fn new() -> Self {
        Self { valid: AtomicUsize::new(1), own: ProducerPass(AtomicU8::new(VALID)), wakeup: Notify::new() }
    }

    /// There is one more worker.
    pub(crate) fn register(&self, pass: &ProducerPass) {
        self.admit(pass, UNREGISTERED);
    }

    /// It hangs.
    pub(crate) fn suspend(&self, pass: &ProducerPass) {
        if pass.change(VALID, SUSPENDED) {
            self.decrement();
        }
    }

    /// It hangs no more.
    pub(crate) fn resume(&self, pass: &ProducerPass) {
        self.admit(pass, SUSPENDED);
    }

    /// It hands nothing over any more.
    pub(crate) fn release(&self, pass: &ProducerPass) {
        if pass.0.swap(RELEASED, Ordering::AcqRel) == VALID {
            self.decrement();
        }
    }

    /// The service stops: the threads end after the last worker.
    pub(crate) fn close(&self) {
        self.release(&self.own);
    }

    /// Something has been handed over.
    pub(crate) fn notify(&self) {
        self.wakeup.notify_one();
    }

    /// Waits for what `take` finds; it also says whether there is more. None once nothing comes any more.
    pub(crate) async fn next<T>(&self, mut take: impl FnMut() -> Option<(T, bool)>) -> Option<T> {
        loop {
            // Read before it looks, so that all that was handed over by then is found.
            let is_over = self.valid.load(Ordering::Acquire) == 0;
            match take() {
                Some((found, has_more)) => {
                    if has_more {
                        self.notify();
                    }
                    return Some(found);
                }
                None if is_over => {
                    // To the next.
                    self.notify();
                    return None;
                }
                // A ring that comes before it listens is kept for it.
                None => self.wakeup.notified().await,
            }
        }
    }

    /// Counted before it is valid: who returns it meanwhile finds it counted.
    fn admit(&self, pass: &ProducerPass, from: u8) {
        self.valid.fetch_add(1, Ordering::AcqRel);
        if !pass.change(from, VALID) {
            self.decrement();
        }
    }

    fn decrement(&self) {
        if self.valid.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.notify();
        }
    }
}

impl ProducerPass {
    fn change(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
