//! The state of the batch pool that workers and metrics read without its lock: how many requests wait, and for how long.
//! Batch workers wait at the latch that it contains. It holds no requests.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::scheduler::metrics::counters::ClassCounters;
use crate::scheduler::sync::producer_latch::ProducerLatch;

/// State of the batch pool for threads that must not lock its queue.
pub(crate) struct BatchStatus {
    /// Number of requests that wait.
    waiting: AtomicUsize,
    /// Time since which at least one request has always been waiting.
    busy_since_ns: AtomicU64,
    /// Wait of the request that was last given its turn.
    waited_ns: AtomicU64,
    /// Point at which batch workers wait for requests, and learn that no worker will submit any more.
    pub(crate) latch: ProducerLatch,
    /// Requests that were shed on arrival because the queue was full.
    full: AtomicU64,
    /// Counters of the queue, written while the queue is locked.
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

    /// Records that a request has waited since `since_ns`.
    pub(crate) fn note_arrival(&self, since_ns: u64) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            self.busy_since_ns.store(since_ns, Ordering::Relaxed);
        }
    }

    /// Records that a request no longer waits. The thread that has taken the request calls this.
    pub(crate) fn note_taken(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a request that was shed because the queue was full.
    pub(crate) fn note_full(&self) {
        self.full.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn full(&self) -> u64 {
        self.full.load(Ordering::Relaxed)
    }

    /// Returns the number of requests that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Returns the time for which at least one request has always been waiting.
    pub(crate) fn busy_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.busy_since_ns.load(Ordering::Relaxed))
    }

    /// Records the wait of the request that is given its turn.
    pub(crate) fn set_waited(&self, waited_ns: u64) {
        self.waited_ns.store(waited_ns, Ordering::Relaxed);
    }

    /// Returns the wait of the request that was last given its turn.
    pub(crate) fn waited_ns(&self) -> u64 {
        self.waited_ns.load(Ordering::Relaxed)
    }
}
