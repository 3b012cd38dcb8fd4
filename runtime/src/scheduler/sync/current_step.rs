//! The step that a thread runs at this moment, for other threads to see: written by that thread alone, a few plain stores
//! for each step.

use crate::sync::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub(crate) struct CurrentStep {
    /// Since when it runs; 0 if none does.
    since_ns: AtomicU64,
    /// Its flow and its position in that.
    step: AtomicU64,
    id_high: AtomicU64,
    id_low: AtomicU64,
}

/// A step that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunningStep {
    pub(crate) since_ns: u64,
    pub(crate) flow: u16,
    pub(crate) step: u16,
    /// Of its request.
    pub(crate) id: u128,
}

impl CurrentStep {
    /// A step begins. The time is that of the service, and not 0.
    pub(crate) fn begin(&self, id: u128, flow: u16, step: u16, at_ns: u64) {
        self.id_high.store((id >> 64) as u64, Ordering::Relaxed);
        self.id_low.store(id as u64, Ordering::Relaxed);
        self.step.store(u64::from(flow) << 16 | u64::from(step), Ordering::Relaxed);
        self.since_ns.store(at_ns.max(1), Ordering::Release);
    }

    /// It has returned.
    pub(crate) fn end(&self) {
        self.since_ns.store(0, Ordering::Release);
    }

    /// The step that runs, if one does. While steps come and go its parts may be those of two; of one that stays they are
    /// its own.
    pub(crate) fn running(&self) -> Option<RunningStep> {
        let since_ns = self.since_ns.load(Ordering::Acquire);
        let step = self.step.load(Ordering::Relaxed);
        let id = u128::from(self.id_high.load(Ordering::Relaxed)) << 64
            | u128::from(self.id_low.load(Ordering::Relaxed));
        (since_ns > 0).then_some(RunningStep { since_ns, flow: (step >> 16) as u16, step: step as u16, id })
    }
}
