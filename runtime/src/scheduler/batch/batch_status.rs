//! What workers and metrics see of the batch pool: how many requests wait there, and for how long. It holds no request, and
//! its one lock-free latch is where batch workers wait.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::scheduler::metrics::counters::ClassCounters;
use crate::scheduler::sync::producer_latch::ProducerLatch;

/// The state of the batch pool, for threads that may not lock its queue.
pub(crate) struct BatchStatus {
    /// How many wait.
    waiting: AtomicUsize,
    /// Since when there has always been somebody who waits.
    busy_since_ns: AtomicU64,
    /// How long the last one waited that had its turn.
    waited_ns: AtomicU64,
    /// Where these threads wait, and learn that nobody comes any more.
    pub(crate) latch: ProducerLatch,
    /// Sent back at once.
    full: AtomicU64,
    /// The queue, for whoever may not lock it; written under its lock.
    pub(crate) queues: ClassCounters,
}

impl BatchStatus {
    pub(crate) fn new() -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            busy_since_ns: AtomicU64::new(0),
            waited_ns: AtomicU64::new(0),
            latch: ProducerLatch::new(),
            full: AtomicU64::new(0),
            queues: ClassCounters::default(),
        }
    }

    /// One waits, since this time.
    pub(crate) fn note_arrival(&self, since_ns: u64) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            self.busy_since_ns.store(since_ns, Ordering::Relaxed);
        }
    }

    /// One waits no longer; said by whoever has taken it.
    pub(crate) fn note_taken(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// One was sent back at once.
    pub(crate) fn note_full(&self) {
        self.full.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn full(&self) -> u64 {
        self.full.load(Ordering::Relaxed)
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// For how long somebody has always waited.
    pub(crate) fn busy_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.busy_since_ns.load(Ordering::Relaxed))
    }

    /// The one that has its turn has waited for so long.
    pub(crate) fn set_waited(&self, waited_ns: u64) {
        self.waited_ns.store(waited_ns, Ordering::Relaxed);
    }

    /// How long the last one waited that had its turn.
    pub(crate) fn waited_ns(&self) -> u64 {
        self.waited_ns.load(Ordering::Relaxed)
    }
}
