//! The scheduling state that all threads of a service share.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use zerver_engine::Flow;
use zerver_trace::Name;

use super::batch::batch_status::BatchStatus;
use super::effect_limits::EffectLimiter;
use super::targets::TargetTable;
use super::threads::long_steps::LongStep;
use super::threads::thread_status::ThreadStatus;
use super::tuning::Tuning;

pub(crate) struct SchedulerState {
    /// Read by every request without a lock, and replaced as a whole.
    tuning: ArcSwap<Tuning>,
    /// State of the batch pool, if the service has one.
    pub(crate) batch: Option<Arc<BatchStatus>>,
    pub(crate) flows: Vec<Arc<Flow>>,
    pub(super) effect_limiter: EffectLimiter,
    pub(super) targets: TargetTable,
    /// Time that a step may run before its worker counts as stuck.
    pub(crate) stuck_after: Duration,
    probations: Vec<FlowProbation>,
    /// Names and states of all threads that run requests.
    threads: Mutex<Vec<(String, Arc<ThreadStatus>)>>,
    pub(super) counters: SchedulerCounters,
}

/// Counters since the start. A request that is neither shed, reclassified nor slow touches none of them.
#[derive(Default)]
pub(super) struct SchedulerCounters {
    /// Requests that were shed, by class.
    pub(super) shed: [AtomicU64; 3],
    /// Flows that were moved to the batch pool, and flows that were moved back.
    pub(super) reclassified_flows: AtomicU64,
    pub(super) restored_flows: AtomicU64,
    /// Requests that were moved to the batch pool.
    pub(super) reclassified: AtomicU64,
    /// Steps that exceeded the quantum of their class.
    pub(super) overruns: AtomicU64,
}

/// Probation of a flow whose steps often exceed their quantum.
#[derive(Default)]
struct FlowProbation {
    /// Time until which the flow runs in the batch pool; 0 if it is not on probation.
    until_ns: AtomicU64,
    /// The step because of which the flow was moved.
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
        let seed = u64::from(std::process::id());
        let targets = TargetTable::new(tuning.targets.clone(), seed);
        let tuning = ArcSwap::from_pointee(tuning);
        Self {
            tuning,
            batch,
            flows,
            effect_limiter,
            targets,
            stuck_after,
            probations,
            threads: Mutex::default(),
            counters: SchedulerCounters::default(),
        }
    }

    /// Creates the state of a service without flows.
    #[cfg(test)]
    pub(super) fn without_flows(stuck_after: Duration) -> Self {
        let tuning = Tuning {
            scheduling: zerver_engine::SchedulingSettings::default(),
            rules: Vec::new(),
            deadline: Duration::from_secs(1),
            effects: super::effect_limits::EffectLimits::default(),
            targets: super::targets::TargetSettings::default(),
            outbound: Arc::default(),
        };
        Self::new(tuning, None, Vec::new(), stuck_after)
    }

    /// Sets the kinds of effects that the program performs. Called once, before the first effect is requested.
    pub(crate) fn set_effect_kinds(&self, kinds: impl Iterator<Item = &'static str>) {
        self.effect_limiter.set_kinds(kinds, &self.tuning().effects);
    }

    /// Returns the current settings. The guard must not be held across an await.
    pub(crate) fn tuning(&self) -> arc_swap::Guard<Arc<Tuning>> {
        self.tuning.load()
    }

    /// Replaces the settings.
    pub(super) fn retune(&self, tuning: Tuning) {
        self.effect_limiter.retune(&tuning.effects);
        self.targets.retune(&tuning.targets);
        self.tuning.store(Arc::new(tuning));
    }

    /// Returns the step because of which a flow runs in the batch pool, if it does.
    pub(super) fn overrunning_step(&self, flow: u16, now_ns: u64) -> Option<u16> {
        let probation = self.probations.get(usize::from(flow))?;
        match probation.until_ns.load(Ordering::Relaxed) {
            0 => None,
            until_ns if until_ns > now_ns => Some(probation.step.load(Ordering::Relaxed)),
            until_ns => {
                self.restore_flow(flow, probation, until_ns);
                None
            }
        }
    }

    /// Ends the probation of a flow. It runs in its own class again, until its steps often overrun once more.
    #[cold]
    fn restore_flow(&self, flow: u16, probation: &FlowProbation, until_ns: u64) {
        if probation.until_ns.compare_exchange(until_ns, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            Self::increment(&self.counters.restored_flows);
            crate::operator_log::info(&format!("flow {} runs in its own class again", self.flow_name(flow)));
        }
    }

    /// Adds a thread that runs requests.
    pub(crate) fn register_thread(&self, name: String, thread_status: Arc<ThreadStatus>) {
        self.threads().push((name, thread_status));
    }

    pub(crate) fn threads(&self) -> MutexGuard<'_, Vec<(String, Arc<ThreadStatus>)>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves a flow to the batch pool because the step often overruns. Returns false if the flow was there already.
    pub(super) fn reclassify_flow(&self, flow: u16, step: u16, until_ns: u64, now_ns: u64) -> bool {
        let Some(probation) = self.probations.get(usize::from(flow)) else { return false };
        probation.step.store(step, Ordering::Relaxed);
        let is_new = probation.until_ns.swap(until_ns, Ordering::Relaxed) <= now_ns;
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

    /// Returns the names of the flow and the step of a long step.
    pub(super) fn names(&self, long_step: &LongStep) -> (Name, Name) {
        let name = |name: &str| Name::from(name.to_owned());
        (name(self.flow_name(long_step.flow)), name(self.step_name(long_step.flow, long_step.step)))
    }

    /// Returns the name of a step, or `?` if there is no such step.
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
    fn a_flow_moves_to_the_batch_pool_and_back_once_per_probation() {
        let mut scheduler = SchedulerState::without_flows(Duration::from_secs(1));
        scheduler.probations.push(FlowProbation::default());
        let counts = || {
            let SchedulerCounters { reclassified_flows, restored_flows, .. } = &scheduler.counters;
            (reclassified_flows.load(Ordering::Relaxed), restored_flows.load(Ordering::Relaxed))
        };
        assert!(scheduler.reclassify_flow(0, 0, 100, 10), "the flow moves");
        assert!(!scheduler.reclassify_flow(0, 0, 120, 20), "the flow has moved already");
        assert_eq!((scheduler.overrunning_step(0, 119), counts()), (Some(0), (1, 0)));
        assert_eq!((scheduler.overrunning_step(0, 120), counts()), (None, (1, 1)));
        assert_eq!(
            (scheduler.overrunning_step(0, 121), counts()),
            (None, (1, 1)),
            "the return is counted once"
        );
        assert!(scheduler.reclassify_flow(0, 0, 300, 200), "the flow moves again");
        assert_eq!(counts(), (2, 1));
    }
}
