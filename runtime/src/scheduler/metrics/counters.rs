//! Counters of one thread, which other threads read for the metrics. Each counter has one writer, so that counting is a
//! load and a store: no lock, no lookup by name, and no cache line that two threads write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zerver_engine::{Class, FairQueue, Flow};

use super::latency_histogram::LatencyHistogram;

/// Longest sleep that is only a nap: the thread found work as soon as it polled, so it was never idle.
const MAX_NAP_NS: u64 = 50_000;

/// A counter that one thread writes and others read.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.get().wrapping_add(n), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// Counters of one step on one thread.
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

/// Counters of one class, in the run queue of one worker or in the batch pool.
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

/// Counters of all classes of one queue, as of its last change.
#[derive(Debug, Default)]
pub(crate) struct ClassCounters([QueueCounters; 3]);

impl ClassCounters {
    pub(crate) fn publish(&self, ready: &FairQueue) {
        for class in [Class::Interactive, Class::Default, Class::Batch] {
            let (counters, counts) = (&self.0[class as usize], ready.counts(class));
            counters.waiting.set(ready.len(class) as u64);
            counters.waits.set(counts.ran);
            counters.waited_ns.set(counts.waited_ns);
            counters.aged.set(counts.aged);
            counters.full.set(counts.shed_queue_full);
            counters.overdue.set(counts.shed_waited_too_long);
            counters.left.set(counts.left);
        }
    }

    pub(crate) const fn class(&self, class: Class) -> &QueueCounters {
        &self.0[class as usize]
    }
}

/// All counters of one thread.
#[derive(Debug, Default)]
pub(crate) struct ThreadCounters {
    /// Counters of the steps of each flow.
    steps: Vec<Box<[StepCounters]>>,
    /// Latencies of the requests of each flow, on connections of this worker.
    latencies: Vec<LatencyHistogram>,
    pub(crate) queues: ClassCounters,
    /// Requests that started, by class.
    pub(crate) started: [Counter; 3],
    /// Effects that completed when their job no longer waited for them.
    pub(crate) late: Counter,
    /// Completions that were ready while the thread was busy, and the sum of their delays.
    pub(crate) delayed_answers: Counter,
    pub(crate) answer_delay_ns: Counter,
    /// Request heads that were read right after a long step, and the sum of their longest possible delays.
    pub(crate) delayed_heads: Counter,
    pub(crate) head_delay_ns: Counter,
    /// Input that was rejected because it is not a valid request.
    pub(crate) malformed: Counter,
    /// Requests that the thread ran for another worker.
    pub(crate) steals: Counter,
    /// Time of the last wake-up; 0 while the thread sleeps.
    awake_since_ns: AtomicU64,
    /// Time when the thread last went to sleep.
    parked_ns: AtomicU64,
    /// Time of the last wake-up after more than a nap.
    idle_until_ns: AtomicU64,
    busy_ns: Counter,
}

impl ThreadCounters {
    pub(crate) fn new(flows: &[Arc<Flow>]) -> Self {
        let steps =
            |flow: &Arc<Flow>| (0..flow.info().steps.len()).map(|_| StepCounters::default()).collect();
        let latencies = flows.iter().map(|flow| LatencyHistogram::new(flow.slo())).collect();
        Self { steps: flows.iter().map(steps).collect(), latencies, ..Self::default() }
    }

    /// Returns the counters of the steps of a flow.
    pub(crate) fn steps(&self, flow: u16) -> &[StepCounters] {
        self.steps.get(usize::from(flow)).map_or(&[], |steps| steps)
    }

    /// Returns the latencies of a flow.
    pub(crate) fn latencies(&self, flow: u16) -> Option<&LatencyHistogram> {
        self.latencies.get(usize::from(flow))
    }

    pub(crate) fn unparked(&self, now_ns: u64) {
        if now_ns.saturating_sub(self.parked_ns.load(Ordering::Relaxed)) > MAX_NAP_NS {
            self.idle_until_ns.store(now_ns, Ordering::Relaxed);
        }
        self.awake_since_ns.store(now_ns.max(1), Ordering::Relaxed);
    }

    pub(crate) fn parked(&self, now_ns: u64) {
        self.parked_ns.store(now_ns, Ordering::Relaxed);
        let since_ns = self.awake_since_ns.swap(0, Ordering::Relaxed);
        if since_ns > 0 {
            self.busy_ns.add(now_ns.saturating_sub(since_ns));
        }
    }

    /// Returns the time until which the thread was last idle. Everything that it has read since arrived no earlier.
    pub(crate) fn idle_until_ns(&self) -> u64 {
        self.idle_until_ns.load(Ordering::Relaxed)
    }

    /// Returns the time for which the thread was awake, in nanoseconds.
    pub(crate) fn busy_ns(&self, now_ns: u64) -> u64 {
        let since_ns = self.awake_since_ns.load(Ordering::Relaxed);
        let current_ns = if since_ns > 0 { now_ns.saturating_sub(since_ns) } else { 0 };
        self.busy_ns.get() + current_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_busy_while_it_is_awake() {
        let counters = ThreadCounters::default();
        counters.parked(5);
        assert_eq!(counters.busy_ns(10), 0, "the thread has not woken up yet");
        counters.unparked(10);
        assert_eq!(counters.busy_ns(15), 5);
        counters.parked(20);
        counters.unparked(100);
        assert_eq!(counters.busy_ns(101), 11);
        assert_eq!(counters.idle_until_ns(), 0, "every sleep so far was a nap");
        counters.parked(200);
        counters.unparked(201 + MAX_NAP_NS);
        assert_eq!(counters.idle_until_ns(), 201 + MAX_NAP_NS);
    }
}
