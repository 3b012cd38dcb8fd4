//! What one thread counts, for whoever reads the metrics. Each cell has one writer, so that counting is a load and a store:
//! no lock, no look-up by name, and no line of the cache that two threads write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zerver_engine::{Class, FairQueue, Flow};

/// A thread that sleeps for no longer has found something to do as soon as it looked.
const NAP_NS: u64 = 50_000;

/// A counter that one thread writes and others read.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// Of one step, on one thread.
#[derive(Debug, Default)]
pub(super) struct OfStep {
    pub(super) runs: Count,
    pub(super) queued_ns: Count,
    pub(super) executing_ns: Count,
    pub(super) waiting_ns: Count,
    pub(super) yields: Count,
    pub(super) overruns: Count,
    pub(super) retries: Count,
}

/// Of one class, of the queues of one thread or of those of low priority together.
#[derive(Debug, Default)]
pub(super) struct OfQueue {
    pub(super) waiting: Count,
    pub(super) waits: Count,
    pub(super) waited_ns: Count,
    pub(super) aged: Count,
    pub(super) full: Count,
    pub(super) overdue: Count,
    pub(super) left: Count,
}

/// The queues, as they were after the last change.
#[derive(Debug, Default)]
pub(super) struct Queues([OfQueue; 3]);

impl Queues {
    pub(super) fn publish(&self, ready: &FairQueue) {
        for class in [Class::Interactive, Class::Default, Class::Batch] {
            let (cells, counts) = (&self.0[class as usize], ready.counts(class));
            cells.waiting.set(ready.len(class) as u64);
            cells.waits.set(counts.ran);
            cells.waited_ns.set(counts.waited_ns);
            cells.aged.set(counts.aged);
            cells.full.set(counts.shed_queue_full);
            cells.overdue.set(counts.shed_waited_too_long);
            cells.left.set(counts.left);
        }
    }

    pub(super) const fn of(&self, class: Class) -> &OfQueue {
        &self.0[class as usize]
    }
}

/// What one thread counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// For each flow, its steps.
    steps: Vec<Box<[OfStep]>>,
    pub(super) queues: Queues,
    /// Requests that began, by class.
    pub(super) began: [Count; 3],
    pub(super) late: Count,
    /// Answers that were ready while it was busy, and for how long.
    pub(super) delayed_answers: Count,
    pub(super) answer_delay_ns: Count,
    /// Heads of requests that were read right after a long step, and for how long they were unread at most.
    pub(super) delayed_heads: Count,
    pub(super) head_delay_ns: Count,
    /// What arrived and was no request.
    pub(super) malformed: Count,
    /// Requests that it ran for another worker.
    pub(super) steals: Count,
    /// Since when it is awake; 0 while it sleeps.
    awake_since_ns: AtomicU64,
    /// When it last went to sleep, and when it last woke up after more than a nap.
    slept_ns: AtomicU64,
    rested_ns: AtomicU64,
    busy_ns: Count,
}

impl Tally {
    pub(super) fn new(flows: &[Arc<Flow>]) -> Self {
        let steps = |flow: &Arc<Flow>| (0..flow.info().steps.len()).map(|_| OfStep::default()).collect();
        Self { steps: flows.iter().map(steps).collect(), ..Self::default() }
    }

    /// Of the steps of a flow.
    pub(super) fn steps(&self, flow: u16) -> &[OfStep] {
        self.steps.get(usize::from(flow)).map_or(&[], |steps| steps)
    }

    pub(super) fn wakes(&self, now_ns: u64) {
        if now_ns.saturating_sub(self.slept_ns.load(Ordering::Relaxed)) > NAP_NS {
            self.rested_ns.store(now_ns, Ordering::Relaxed);
        }
        self.awake_since_ns.store(now_ns.max(1), Ordering::Relaxed);
    }

    pub(super) fn sleeps(&self, now_ns: u64) {
        self.slept_ns.store(now_ns, Ordering::Relaxed);
        let since_ns = self.awake_since_ns.swap(0, Ordering::Relaxed);
        if since_ns > 0 {
            self.busy_ns.add(now_ns.saturating_sub(since_ns));
        }
    }

    /// When it last had nothing to do: whatever it has read since then came later, or right then.
    pub(super) fn rested_ns(&self) -> u64 {
        self.rested_ns.load(Ordering::Relaxed)
    }

    /// How long it was awake.
    pub(super) fn busy_ns(&self, now_ns: u64) -> u64 {
        let since_ns = self.awake_since_ns.load(Ordering::Relaxed);
        let now = if since_ns > 0 { now_ns.saturating_sub(since_ns) } else { 0 };
        self.busy_ns.get() + now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_busy_while_it_is_awake() {
        let tally = Tally::default();
        tally.sleeps(5);
        assert_eq!(tally.busy_ns(10), 0, "it has not been awake yet");
        tally.wakes(10);
        assert_eq!(tally.busy_ns(15), 5);
        tally.sleeps(20);
        tally.wakes(100);
        assert_eq!(tally.busy_ns(101), 11);
        assert_eq!(tally.rested_ns(), 0, "these were naps");
        tally.sleeps(200);
        tally.wakes(201 + NAP_NS);
        assert_eq!(tally.rested_ns(), 201 + NAP_NS);
    }
}
