//! The progress of a shipper, for metrics and messages.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use zerver_recorder::Backlog;

/// Status of a shipper. The counts begin when it was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShipperStatus {
    /// Traces that the fleet has acknowledged.
    pub shipped: u64,
    /// Blocks that the fleet has acknowledged.
    pub blocks: u64,
    /// Traces that stay in the store, because there were too many in their second.
    pub unshipped: u64,
    /// Traces in the store that wait, as of the last round.
    pub waiting: u64,
    /// Bytes of the closed blocks that wait, as of the last round.
    pub behind_bytes: u64,
    /// Number of failed rounds.
    pub failures: u64,
    /// True if the last round succeeded.
    pub is_online: bool,
}

/// A change that an operator should know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShipperEvent {
    /// Nothing can be shipped. Everything stays in the store, and attempts go on.
    Offline {
        /// The cause.
        reason: String,
        /// Advice on what to do.
        hint: Option<String>,
    },
    /// Shipping works again.
    Online,
    /// The service ended, and this many traces stay in the store, to be shipped when it starts again.
    Left {
        /// Number of traces.
        traces: u64,
    },
}

/// Status that the thread of a shipper updates.
#[derive(Debug, Default)]
pub(crate) struct SharedStatus {
    shipped: AtomicU64,
    blocks: AtomicU64,
    unshipped: AtomicU64,
    waiting: AtomicU64,
    behind_bytes: AtomicU64,
    failures: AtomicU64,
    is_online: AtomicBool,
}

impl SharedStatus {
    pub(super) fn shipped(&self, traces: u64, blocks: u64, left: Backlog) {
        self.shipped.fetch_add(traces, Ordering::Relaxed);
        self.blocks.fetch_add(blocks, Ordering::Relaxed);
        self.wait_for(left);
    }

    pub(super) fn left(&self, traces: u64, left: Backlog) {
        self.unshipped.fetch_add(traces, Ordering::Relaxed);
        self.wait_for(left);
    }

    fn wait_for(&self, left: Backlog) {
        self.waiting.store(left.traces, Ordering::Relaxed);
        self.behind_bytes.store(left.bytes, Ordering::Relaxed);
    }

    pub(super) fn set_online(&self, is_online: bool) {
        self.is_online.store(is_online, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.set_online(false);
    }

    pub(super) fn get(&self) -> ShipperStatus {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ShipperStatus {
            shipped: count(&self.shipped),
            blocks: count(&self.blocks),
            unshipped: count(&self.unshipped),
            waiting: count(&self.waiting),
            behind_bytes: count(&self.behind_bytes),
            failures: count(&self.failures),
            is_online: self.is_online.load(Ordering::Relaxed),
        }
    }
}
