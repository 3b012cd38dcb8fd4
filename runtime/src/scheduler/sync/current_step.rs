//! The step that a thread is currently running, for other threads to read. Only the thread itself writes it: a few plain
//! stores per step.

use crate::sync::{AtomicU64, Ordering};

/// The step that one thread is currently running.
#[derive(Debug, Default)]
pub(crate) struct CurrentStep {
    /// Start of the step, on the service's clock; 0 if no step runs.
    since_ns: AtomicU64,
    /// Number of the flow in the upper bits, and position of the step in the lower 16.
    step: AtomicU64,
    id_high: AtomicU64,
    id_low: AtomicU64,
}

/// A snapshot of a running step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunningStep {
    pub(crate) since_ns: u64,
    pub(crate) flow: u16,
    pub(crate) step: u16,
    /// ID of its request.
    pub(crate) id: u128,
}

impl CurrentStep {
    /// Records that a step begins at `at_ns`, on the service's clock.
    pub(crate) fn begin(&self, id: u128, flow: u16, step: u16, at_ns: u64) {
        self.id_high.store((id >> 64) as u64, Ordering::Relaxed);
        self.id_low.store(id as u64, Ordering::Relaxed);
        self.step.store(u64::from(flow) << 16 | u64::from(step), Ordering::Relaxed);
        self.since_ns.store(at_ns.max(1), Ordering::Release);
    }

    /// Records that the step has returned.
    pub(crate) fn end(&self) {
        self.since_ns.store(0, Ordering::Release);
    }

    /// Returns the running step, if any. While short steps follow one another, the result may mix parts of two of them; for
    /// a step that keeps running it is consistent.
    pub(crate) fn running(&self) -> Option<RunningStep> {
        let since_ns = self.since_ns.load(Ordering::Acquire);
        let step = self.step.load(Ordering::Relaxed);
        let id = u128::from(self.id_high.load(Ordering::Relaxed)) << 64
            | u128::from(self.id_low.load(Ordering::Relaxed));
        (since_ns > 0).then_some(RunningStep { since_ns, flow: (step >> 16) as u16, step: step as u16, id })
    }
}
