//! The point at which batch workers wait for requests. A worker with a valid pass may submit requests. Once no pass is
//! valid and all submitted requests have been taken, the batch workers end.

use crate::sync::{AtomicU8, AtomicUsize, Notify, Ordering};

pub(crate) struct ProducerLatch {
    /// Number of valid passes. It may be too high for a moment, but never too low, so that no batch worker ends too early.
    valid: AtomicUsize,
    /// Pass of the service itself, which keeps the batch workers alive even while all workers are stuck.
    own: ProducerPass,
    wakeup: Notify,
}

/// Right of a worker to submit requests.
#[derive(Debug, Default)]
pub(crate) struct ProducerPass(AtomicU8);

const UNREGISTERED: u8 = 0;
const VALID: u8 = 1;
/// The worker is stuck, and batch workers do not wait for it.
const SUSPENDED: u8 = 2;
const RELEASED: u8 = 3;

impl ProducerLatch {
    pub(crate) fn new() -> Self {
        Self { valid: AtomicUsize::new(1), own: ProducerPass(AtomicU8::new(VALID)), wakeup: Notify::new() }
    }

    /// Makes the pass of a new worker valid.
    pub(crate) fn register(&self, pass: &ProducerPass) {
        self.admit(pass, UNREGISTERED);
    }

    /// Suspends the pass of a worker that is stuck.
    pub(crate) fn suspend(&self, pass: &ProducerPass) {
        if pass.change(VALID, SUSPENDED) {
            self.decrement();
        }
    }

    /// Makes the pass valid again when the worker is no longer stuck.
    pub(crate) fn resume(&self, pass: &ProducerPass) {
        self.admit(pass, SUSPENDED);
    }

    /// Invalidates the pass of a worker that will not submit requests any more.
    pub(crate) fn release(&self, pass: &ProducerPass) {
        if pass.0.swap(RELEASED, Ordering::AcqRel) == VALID {
            self.decrement();
        }
    }

    /// Releases the pass of the service, so that the batch workers end after the last worker.
    pub(crate) fn close(&self) {
        self.release(&self.own);
    }

    /// Wakes a batch worker because a request was submitted.
    pub(crate) fn notify(&self) {
        self.wakeup.notify_one();
    }

    /// Waits until `take` returns an item; its flag is true if more items are left. Returns `None` once no pass is valid and
    /// nothing is left.
    pub(crate) async fn next<T>(&self, mut take: impl FnMut() -> Option<(T, bool)>) -> Option<T> {
        loop {
            // Read before `take` is called, so that everything submitted under a valid pass is found.
            let is_over = self.valid.load(Ordering::Acquire) == 0;
            match take() {
                Some((item, has_more)) => {
                    if has_more {
                        self.notify();
                    }
                    return Some(item);
                }
                None if is_over => {
                    // Passes the wake-up on to the next batch worker.
                    self.notify();
                    return None;
                }
                // `Notify` stores a notification that arrives before this wait begins.
                None => self.wakeup.notified().await,
            }
        }
    }

    /// Makes a pass valid. It is counted first, so that a thread that releases it at once finds it counted.
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
