//! What all workers of a service share of its scheduling.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use zerver_engine::{Flow, Scheduling};

use super::low::Low;
use super::rules::Rule;

pub(crate) struct Shared {
    pub(crate) settings: Scheduling,
    pub(crate) rules: Vec<Rule>,
    /// The threads of low priority, if there are any.
    pub(crate) low: Option<Arc<Low>>,
    pub(crate) flows: Vec<Arc<Flow>>,
    /// For how long a step may run until its worker counts as stuck.
    pub(crate) stuck_after: Duration,
    slow: Vec<Slow>,
    pub(super) counters: Counters,
}

/// What has happened since the start. None of it is on the way of a request that just runs.
#[derive(Default)]
pub(super) struct Counters {
    /// Sent away, by the class that they had.
    pub(super) shed: [AtomicU64; 3],
    /// Moved to low priority on their way.
    pub(super) moved: AtomicU64,
    /// Run by another worker than that of their connection.
    pub(super) stolen: AtomicU64,
    /// Steps that ran for longer than the quantum of their class.
    pub(super) overruns: AtomicU64,
}

/// Whether a flow keeps others waiting.
#[derive(Default)]
struct Slow {
    /// Until when it runs at low priority.
    until_ns: AtomicU64,
    /// The step that did it.
    step: AtomicU16,
}

impl Shared {
    pub(crate) fn new(
        settings: Scheduling,
        rules: Vec<Rule>,
        low: Option<Arc<Low>>,
        flows: Vec<Arc<Flow>>,
        stuck_after: Duration,
    ) -> Self {
        let slow = flows.iter().map(|_| Slow::default()).collect();
        Self { settings, rules, low, flows, stuck_after, slow, counters: Counters::default() }
    }

    /// The step for whose sake a flow runs at low priority, if it does.
    pub(super) fn slow_step(&self, flow: u16, now_ns: u64) -> Option<u16> {
        let slow = self.slow.get(usize::from(flow))?;
        (slow.until_ns.load(Ordering::Relaxed) > now_ns).then(|| slow.step.load(Ordering::Relaxed))
    }

    /// This step of it overruns often. Whether that is new.
    pub(super) fn is_slow(&self, flow: u16, step: u16, until_ns: u64, now_ns: u64) -> bool {
        let Some(slow) = self.slow.get(usize::from(flow)) else { return false };
        slow.step.store(step, Ordering::Relaxed);
        slow.until_ns.swap(until_ns, Ordering::Relaxed) <= now_ns
    }

    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn flow_name(&self, flow: u16) -> &str {
        self.flows.get(usize::from(flow)).map_or("a flow", |flow| flow.info().name.as_str())
    }

    /// The name of a step.
    pub(super) fn step_name(&self, flow: u16, step: u16) -> &str {
        let flow = self.flows.get(usize::from(flow));
        let step = flow.and_then(|flow| flow.info().steps.get(usize::from(step)));
        step.map_or("a step", |step| step.name.as_str())
    }
}
