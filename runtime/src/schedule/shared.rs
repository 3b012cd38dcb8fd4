//! What all workers of a service share of its scheduling.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use zerver_engine::{Flow, SchedulingSettings};
use zerver_trace::Name;

use super::board::Board;
use super::long_runs::LongRun;
use super::low::Low;
use super::rules::Rule;
use super::targets::{EffectLimits, Targets};
use crate::time::nanos;

/// What can change while the service runs.
#[derive(Debug, Clone)]
pub(crate) struct Tuning {
    pub(crate) scheduling: SchedulingSettings,
    pub(crate) rules: Vec<Rule>,
    /// For requests whose flow does not say.
    pub(crate) deadline: Duration,
    pub(crate) effects: EffectLimits,
}

impl Tuning {
    /// How long a request of this flow may take.
    pub(super) fn deadline_ns(&self, flow: &Flow) -> u64 {
        nanos(flow.deadline().unwrap_or(self.deadline))
    }
}

pub(crate) struct Shared {
    /// Read by each request, without a lock; replaced as a whole.
    tuning: ArcSwap<Tuning>,
    /// The threads of low priority, if there are any.
    pub(crate) low: Option<Arc<Low>>,
    pub(crate) flows: Vec<Arc<Flow>>,
    pub(super) targets: Targets,
    /// For how long a step may run until its worker counts as stuck.
    pub(crate) stuck_after: Duration,
    slow: Vec<Slow>,
    /// All threads that run requests, and their names.
    boards: Mutex<Vec<(String, Arc<Board>)>>,
    pub(super) counters: Counters,
}

/// What has happened since the start. None of it is on the way of a request that just runs.
#[derive(Default)]
pub(super) struct Counters {
    /// Sent away, by the class that they had.
    pub(super) shed: [AtomicU64; 3],
    /// Flows that were moved to low priority, and those that came back.
    pub(super) demoted: AtomicU64,
    pub(super) promoted: AtomicU64,
    /// Requests that moved to low priority on their way.
    pub(super) moved: AtomicU64,
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
        tuning: Tuning,
        low: Option<Arc<Low>>,
        flows: Vec<Arc<Flow>>,
        stuck_after: Duration,
    ) -> Self {
        let slow = flows.iter().map(|_| Slow::default()).collect();
        let targets = Targets::new(&tuning.effects);
        let tuning = ArcSwap::from_pointee(tuning);
        Self {
            tuning,
            low,
            flows,
            targets,
            stuck_after,
            slow,
            boards: Mutex::default(),
            counters: Counters::default(),
        }
    }

    /// Of a service without flows.
    #[cfg(test)]
    pub(super) fn of_nothing(stuck_after: Duration) -> Self {
        let tuning = Tuning {
            scheduling: SchedulingSettings::default(),
            rules: Vec::new(),
            deadline: Duration::from_secs(1),
            effects: EffectLimits::default(),
        };
        Self::new(tuning, None, Vec::new(), stuck_after)
    }

    /// The program performs effects of these kinds. Known once, before any is asked for.
    pub(crate) fn know_kinds(&self, kinds: impl Iterator<Item = &'static str>) {
        self.targets.know(kinds, &self.tuning().effects);
    }

    /// What holds now. Not to be kept while something is waited for.
    pub(crate) fn tuning(&self) -> arc_swap::Guard<Arc<Tuning>> {
        self.tuning.load()
    }

    /// From now on something else holds.
    pub(super) fn retune(&self, tuning: Tuning) {
        self.targets.retune(&tuning.effects);
        self.tuning.store(Arc::new(tuning));
    }

    /// The step for whose sake a flow runs at low priority, if it does.
    pub(super) fn slow_step(&self, flow: u16, now_ns: u64) -> Option<u16> {
        let slow = self.slow.get(usize::from(flow))?;
        match slow.until_ns.load(Ordering::Relaxed) {
            0 => None,
            until_ns if until_ns > now_ns => Some(slow.step.load(Ordering::Relaxed)),
            until_ns => {
                self.promote(flow, slow, until_ns);
                None
            }
        }
    }

    /// Its probation is over: it runs with its class again, until it overruns often once more.
    #[cold]
    fn promote(&self, flow: u16, slow: &Slow, until_ns: u64) {
        if slow.until_ns.compare_exchange(until_ns, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            Self::count(&self.counters.promoted);
            crate::notice::say(&format!("{} runs with its class again", self.flow_name(flow)));
        }
    }

    /// A thread begins to run requests.
    pub(crate) fn enlist(&self, name: String, board: Arc<Board>) {
        self.boards().push((name, board));
    }

    pub(crate) fn boards(&self) -> MutexGuard<'_, Vec<(String, Arc<Board>)>> {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This step of it overruns often. Whether that is new.
    pub(super) fn is_slow(&self, flow: u16, step: u16, until_ns: u64, now_ns: u64) -> bool {
        let Some(slow) = self.slow.get(usize::from(flow)) else { return false };
        slow.step.store(step, Ordering::Relaxed);
        let is_new = slow.until_ns.swap(until_ns, Ordering::Relaxed) <= now_ns;
        if is_new {
            Self::count(&self.counters.demoted);
        }
        is_new
    }

    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn flow_name(&self, flow: u16) -> &str {
        self.flows.get(usize::from(flow)).map_or("a flow", |flow| flow.info().name.as_str())
    }

    /// The names of the flow and the step of a run.
    pub(super) fn names(&self, run: &LongRun) -> (Name, Name) {
        let name = |name: &str| Name::from(name.to_owned());
        (name(self.flow_name(run.flow)), name(self.step_name(run.flow, run.step)))
    }

    /// The name of a step.
    pub(super) fn step_name(&self, flow: u16, step: u16) -> &str {
        let flow = self.flows.get(usize::from(flow));
        let step = flow.and_then(|flow| flow.info().steps.get(usize::from(step)));
        step.map_or("a step", |step| step.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_moved_and_comes_back_once() {
        let mut shared = Shared::of_nothing(Duration::from_secs(1));
        shared.slow.push(Slow::default());
        let counts = || {
            let Counters { demoted, promoted, .. } = &shared.counters;
            (demoted.load(Ordering::Relaxed), promoted.load(Ordering::Relaxed))
        };
        assert!(shared.is_slow(0, 0, 100, 10), "that is new");
        assert!(!shared.is_slow(0, 0, 120, 20), "that is not");
        assert_eq!((shared.slow_step(0, 119), counts()), (Some(0), (1, 0)));
        assert_eq!((shared.slow_step(0, 120), counts()), (None, (1, 1)));
        assert_eq!((shared.slow_step(0, 121), counts()), (None, (1, 1)), "told once");
        assert!(shared.is_slow(0, 0, 300, 200), "it is slow again");
        assert_eq!(counts(), (2, 1));
    }
}
