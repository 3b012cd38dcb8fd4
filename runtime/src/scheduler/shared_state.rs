//! What all workers of a service share of its scheduling.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use zerver_engine::Flow;
use zerver_trace::Name;

use super::batch::batch_status::BatchStatus;
use super::effect_limits::EffectLimiter;
use super::threads::long_steps::LongStep;
use super::threads::thread_status::ThreadStatus;
use super::tuning::Tuning;

pub(crate) struct SchedulerState {
    /// Read by each request, without a lock; replaced as a whole.
    tuning: ArcSwap<Tuning>,
    /// The batch pool, if there is one.
    pub(crate) batch: Option<Arc<BatchStatus>>,
    pub(crate) flows: Vec<Arc<Flow>>,
    pub(super) effect_limiter: EffectLimiter,
    /// For how long a step may run until its worker counts as stuck.
    pub(crate) stuck_after: Duration,
    probations: Vec<FlowProbation>,
    /// All threads that run requests, and their names.
    threads: Mutex<Vec<(String, Arc<ThreadStatus>)>>,
    pub(super) counters: SchedulerCounters,
}

/// What has happened since the start. None of it is on the way of a request that just runs.
#[derive(Default)]
pub(super) struct SchedulerCounters {
    /// Sent away, by the class that they had.
    pub(super) shed: [AtomicU64; 3],
    /// Flows that were moved to low priority, and those that came back.
    pub(super) reclassified_flows: AtomicU64,
    pub(super) restored_flows: AtomicU64,
    /// Requests that moved to low priority on their way.
    pub(super) reclassified: AtomicU64,
    /// Steps that ran for longer than the quantum of their class.
    pub(super) overruns: AtomicU64,
}

/// Whether a flow keeps others waiting.
#[derive(Default)]
struct FlowProbation {
    /// Until when it runs at low priority.
    until_ns: AtomicU64,
    /// The step that did it.
    step: AtomicU16,
}

impl SchedulerState {
    pub(crate) fn new(
        tuning: Tuning,
        batch: Option<Arc<BatchStatus>>,
        flows: Vec<Arc<Flow>>,
        stuck_after: Duration,
    ) -> Self {
        let probations = flows.iter().map(|_| FlowProbation::default()).collect();
        let effect_limiter = EffectLimiter::new(&tuning.effects);
        let tuning = ArcSwap::from_pointee(tuning);
        Self {
            tuning,
            batch,
            flows,
            effect_limiter,
            stuck_after,
            probations,
            threads: Mutex::default(),
            counters: SchedulerCounters::default(),
        }
    }

    /// Of a service without flows.
    #[cfg(test)]
    pub(super) fn of_nothing(stuck_after: Duration) -> Self {
        let tuning = Tuning {
            scheduling: zerver_engine::SchedulingSettings::default(),
            rules: Vec::new(),
            deadline: Duration::from_secs(1),
            effects: super::effect_limits::EffectLimits::default(),
        };
        Self::new(tuning, None, Vec::new(), stuck_after)
    }

    /// The program performs effects of these kinds. Known once, before any is asked for.
    pub(crate) fn set_effect_kinds(&self, kinds: impl Iterator<Item = &'static str>) {
        self.effect_limiter.set_kinds(kinds, &self.tuning().effects);
    }

    /// What holds now. Not to be kept while something is waited for.
    pub(crate) fn tuning(&self) -> arc_swap::Guard<Arc<Tuning>> {
        self.tuning.load()
    }

    /// From now on something else holds.
    pub(super) fn retune(&self, tuning: Tuning) {
        self.effect_limiter.retune(&tuning.effects);
        self.tuning.store(Arc::new(tuning));
    }

    /// The step for whose sake a flow runs at low priority, if it does.
    pub(super) fn overrunning_step(&self, flow: u16, now_ns: u64) -> Option<u16> {
        let probations = self.probations.get(usize::from(flow))?;
        match probations.until_ns.load(Ordering::Relaxed) {
            0 => None,
            until_ns if until_ns > now_ns => Some(probations.step.load(Ordering::Relaxed)),
            until_ns => {
                self.restore_flow(flow, probations, until_ns);
                None
            }
        }
    }

    /// Its probation is over: it runs with its class again, until it overruns often once more.
    #[cold]
    fn restore_flow(&self, flow: u16, probations: &FlowProbation, until_ns: u64) {
        if probations.until_ns.compare_exchange(until_ns, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            Self::increment(&self.counters.restored_flows);
            crate::operator_log::info(&format!("flow {} runs in its own class again", self.flow_name(flow)));
        }
    }

    /// A thread begins to run requests.
    pub(crate) fn register_thread(&self, name: String, thread_status: Arc<ThreadStatus>) {
        self.threads().push((name, thread_status));
    }

    pub(crate) fn threads(&self) -> MutexGuard<'_, Vec<(String, Arc<ThreadStatus>)>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This step of it overruns often. Whether that is new.
    pub(super) fn reclassify_flow(&self, flow: u16, step: u16, until_ns: u64, now_ns: u64) -> bool {
        let Some(probations) = self.probations.get(usize::from(flow)) else { return false };
        probations.step.store(step, Ordering::Relaxed);
        let is_new = probations.until_ns.swap(until_ns, Ordering::Relaxed) <= now_ns;
        if is_new {
            Self::increment(&self.counters.reclassified_flows);
        }
        is_new
    }

    pub(super) fn increment(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn flow_name(&self, flow: u16) -> &str {
        self.flows.get(usize::from(flow)).map_or("?", |flow| flow.info().name.as_str())
    }

    /// The names of the flow and the step of a run.
    pub(super) fn names(&self, run: &LongStep) -> (Name, Name) {
        let name = |name: &str| Name::from(name.to_owned());
        (name(self.flow_name(run.flow)), name(self.step_name(run.flow, run.step)))
    }

    /// The name of a step.
    pub(super) fn step_name(&self, flow: u16, step: u16) -> &str {
        let flow = self.flows.get(usize::from(flow));
        let step = flow.and_then(|flow| flow.info().steps.get(usize::from(step)));
        step.map_or("?", |step| step.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_moved_and_comes_back_once() {
        let mut scheduler = SchedulerState::of_nothing(Duration::from_secs(1));
        scheduler.probations.push(FlowProbation::default());
        let counts = || {
            let SchedulerCounters { reclassified_flows, restored_flows, .. } = &scheduler.counters;
            (reclassified_flows.load(Ordering::Relaxed), restored_flows.load(Ordering::Relaxed))
        };
        assert!(scheduler.reclassify_flow(0, 0, 100, 10), "that is new");
        assert!(!scheduler.reclassify_flow(0, 0, 120, 20), "that is not");
        assert_eq!((scheduler.overrunning_step(0, 119), counts()), (Some(0), (1, 0)));
        assert_eq!((scheduler.overrunning_step(0, 120), counts()), (None, (1, 1)));
        assert_eq!((scheduler.overrunning_step(0, 121), counts()), (None, (1, 1)), "told once");
        assert!(scheduler.reclassify_flow(0, 0, 300, 200), "it is slow again");
        assert_eq!(counts(), (2, 1));
    }
}
