//! What one thread counts, for whoever reads the metrics. Each cell has one writer, so that counting is a load and a store:
//! no lock, no look-up by name, and no line of the cache that two threads write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zerver_engine::{Class, FairQueue, Flow};

/// A thread that sleeps for no longer has found something to do as soon as it looked.
const NAP_NS: u64 = 50_000;

/// A counter that one thread writes and others read.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// Of one step, on one thread.
#[derive(Debug, Default)]
pub(crate) struct StepCounters {
    pub(crate) runs: Counter,
    pub(crate) queued_ns: Counter,
    pub(crate) executing_ns: Counter,
    pub(crate) waiting_ns: Counter,
    pub(crate) yields: Counter,
    pub(crate) overruns: Counter,
    pub(crate) retries: Counter,
}

/// Of one class, of the queues of one thread or of those of low priority together.
#[derive(Debug, Default)]
pub(crate) struct QueueCounters {
    pub(crate) waiting: Counter,
    pub(crate) waits: Counter,
    pub(crate) waited_ns: Counter,
    pub(crate) aged: Counter,
    pub(crate) full: Counter,
    pub(crate) overdue: Counter,
    pub(crate) left: Counter,
}

/// The queues, as they were after the last change.
#[derive(Debug, Default)]
pub(crate) struct ClassCounters([QueueCounters; 3]);

impl ClassCounters {
    pub(crate) fn publish(&self, ready: &FairQueue) {
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

    pub(crate) const fn of(&self, class: Class) -> &QueueCounters {
        &self.0[class as usize]
    }
}

/// What one thread counts.
#[derive(Debug, Default)]
pub(crate) struct ThreadCounters {
    /// For each flow, its steps.
    steps: Vec<Box<[StepCounters]>>,
    pub(crate) queues: ClassCounters,
    /// Requests that began, by class.
    pub(crate) started: [Counter; 3],
    pub(crate) late: Counter,
    /// Answers that were ready while it was busy, and for how long.
    pub(crate) delayed_answers: Counter,
    pub(crate) answer_delay_ns: Counter,
    /// Heads of requests that were read right after a long step, and for how long they were unread at most.
    pub(crate) delayed_heads: Counter,
    pub(crate) head_delay_ns: Counter,
    /// What arrived and was no request.
    pub(crate) malformed: Counter,
    /// Requests that it ran for another worker.
    pub(crate) steals: Counter,
    /// Since when it is awake; 0 while it sleeps.
    awake_since_ns: AtomicU64,
    /// When it last went to sleep, and when it last woke up after more than a nap.
    slept_ns: AtomicU64,
    rested_ns: AtomicU64,
    busy_ns: Counter,
}

impl ThreadCounters {
    pub(crate) fn new(flows: &[Arc<Flow>]) -> Self {
        let steps =
            |flow: &Arc<Flow>| (0..flow.info().steps.len()).map(|_| StepCounters::default()).collect();
        Self { steps: flows.iter().map(steps).collect(), ..Self::default() }
    }

    /// Of the steps of a flow.
    pub(crate) fn steps(&self, flow: u16) -> &[StepCounters] {
        self.steps.get(usize::from(flow)).map_or(&[], |steps| steps)
    }

    pub(crate) fn unparked(&self, now_ns: u64) {
        if now_ns.saturating_sub(self.slept_ns.load(Ordering::Relaxed)) > NAP_NS {
            self.rested_ns.store(now_ns, Ordering::Relaxed);
        }
        self.awake_since_ns.store(now_ns.max(1), Ordering::Relaxed);
    }

    pub(crate) fn parked(&self, now_ns: u64) {
        self.slept_ns.store(now_ns, Ordering::Relaxed);
        let since_ns = self.awake_since_ns.swap(0, Ordering::Relaxed);
        if since_ns > 0 {
            self.busy_ns.add(now_ns.saturating_sub(since_ns));
        }
    }

    /// When it last had nothing to do: whatever it has read since then came later, or right then.
    pub(crate) fn rested_ns(&self) -> u64 {
        self.rested_ns.load(Ordering::Relaxed)
    }

    /// How long it was awake.
    pub(crate) fn busy_ns(&self, now_ns: u64) -> u64 {
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
        let counters = ThreadCounters::default();
        counters.parked(5);
        assert_eq!(counters.busy_ns(10), 0, "it has not been awake yet");
        counters.unparked(10);
        assert_eq!(counters.busy_ns(15), 5);
        counters.parked(20);
        counters.unparked(100);
        assert_eq!(counters.busy_ns(101), 11);
        assert_eq!(counters.rested_ns(), 0, "these were naps");
        counters.parked(200);
        counters.unparked(201 + NAP_NS);
        assert_eq!(counters.rested_ns(), 201 + NAP_NS);
    }
}
