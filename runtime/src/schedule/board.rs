//! What a worker does at this moment, for other threads to see. Written by the worker alone, a few plain stores for each
//! step.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use zerver_engine::{Flow, RequestId};

use super::tally::Tally;

#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(super) tally: Tally,
    /// Since when a step runs; 0 if none does.
    since_ns: AtomicU64,
    /// Its flow and its position in that.
    step: AtomicU64,
    id_high: AtomicU64,
    id_low: AtomicU64,
    /// Whether it has run for too long. Set by the watchdog, and never taken back while that step runs.
    stuck: AtomicBool,
    /// Whether its thread has ended.
    ended: AtomicBool,
    /// Whether it does not hand over requests to threads of low priority any more.
    silent: AtomicBool,
}

/// A step that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) since_ns: u64,
    pub(crate) flow: u16,
    pub(crate) step: u16,
    pub(crate) id: RequestId,
}

impl Board {
    pub(crate) fn new(flows: &[Arc<Flow>]) -> Self {
        Self { tally: Tally::new(flows), ..Self::default() }
    }

    /// Its thread goes to sleep.
    pub(crate) fn sleeps(&self, now_ns: u64) {
        self.tally.sleeps(now_ns);
    }

    /// Its thread has woken up.
    pub(crate) fn wakes(&self, now_ns: u64) {
        self.tally.wakes(now_ns);
    }

    /// A step begins. The time is that of the service, and not 0.
    pub(super) fn begin(&self, id: RequestId, flow: u16, step: u16, at_ns: u64) {
        let id = id.as_u128();
        self.id_high.store((id >> 64) as u64, Ordering::Relaxed);
        self.id_low.store(id as u64, Ordering::Relaxed);
        self.step.store(u64::from(flow) << 16 | u64::from(step), Ordering::Relaxed);
        self.since_ns.store(at_ns.max(1), Ordering::Release);
    }

    /// It has returned.
    pub(super) fn end(&self) {
        self.since_ns.store(0, Ordering::Release);
    }

    /// The step that runs, if one does. While steps come and go its parts may be those of two; of one that stays they are
    /// its own.
    pub(super) fn running(&self) -> Option<Running> {
        let since_ns = self.since_ns.load(Ordering::Acquire);
        let step = self.step.load(Ordering::Relaxed);
        let id = u128::from(self.id_high.load(Ordering::Relaxed)) << 64
            | u128::from(self.id_low.load(Ordering::Relaxed));
        (since_ns > 0).then(|| Running {
            since_ns,
            flow: (step >> 16) as u16,
            step: step as u16,
            id: RequestId::from_u128(id),
        })
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Acquire)
    }

    pub(super) fn mark(&self, stuck: bool) {
        self.stuck.store(stuck, Ordering::Release);
    }

    /// Whether that is new.
    pub(super) fn be_silent(&self, silent: bool) -> bool {
        self.silent.swap(silent, Ordering::AcqRel) != silent
    }

    pub(crate) fn leave(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}
