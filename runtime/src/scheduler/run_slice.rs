//! What the driver sees of the scheduler: when a step begins and ends, and when others go first.

use std::cell::Cell;
use std::time::Instant;

use tokio::runtime::Handle;
use zerver_engine::{Call, Class, Job, RequestId, RequestedCall};
use zerver_trace::duration::HumanDuration;
use zerver_trace::{Event, Name, SharedValue, Thread};

use super::dispatch::placement::Placement;
use super::effect_limits::{Admission, Permit};
use super::metrics::counters::StepCounters;
use super::run_delay;
use super::run_queue::RunQueue;
use super::shared_state::SchedulerState;
use super::threads::long_steps::{LONG_STEP_NS, LongStep};
use super::threads::thread_status::ThreadStatus;
use crate::server::service::Service;
use crate::time::Stopwatch;

/// The way of one request on one worker.
pub(crate) struct RunSlice<'w> {
    scheduler: &'w SchedulerState,
    thread_status: &'w ThreadStatus,
    /// What is counted of the steps of its flow.
    all_step_counters: &'w [StepCounters],
    /// None on a thread of low priority.
    run_queue: Option<&'w RunQueue>,
    id: RequestId,
    class: Class,
    flow: u16,
    /// When the request's head arrived, on the service's clock.
    base_ns: u64,
    quantum_ns: u64,
    /// Where effects are performed.
    pub(crate) effect_runtime: &'w Handle,
    /// So many effects may be in flight.
    pub(crate) effects: usize,
    /// When it began to run without a pause; none while it does not.
    running_since_ns: Cell<Option<u64>>,
    /// The last time that it told.
    ran_until_ns: Cell<u64>,
    has_turn: Cell<bool>,
    /// How long its steps ran.
    ran_ns: Cell<u64>,
    overrunning_step: Cell<Option<u16>>,
    /// Whether a step of its flow has overrun lately.
    is_suspect: Cell<bool>,
    /// How long its thread had been kept from a core when a suspect step began.
    run_delay_ns: Cell<Option<u64>>,
    /// Its last step, and when that returned.
    last_step: Cell<Option<(u16, u64)>>,
}

impl<'w> RunSlice<'w> {
    /// A request that begins, or goes on, to run at this time; with a turn or without one.
    pub(super) fn new(
        service: &'w Service,
        thread_status: &'w ThreadStatus,
        run_queue: Option<&'w RunQueue>,
        has_turn: bool,
        placement: &Placement,
        began_ns: u64,
    ) -> Self {
        Self {
            scheduler: &service.scheduler,
            thread_status,
            all_step_counters: thread_status.counters.steps(placement.flow),
            run_queue,
            id: placement.id,
            class: placement.class,
            flow: placement.flow,
            base_ns: placement.base_ns,
            quantum_ns: placement.quantum_ns,
            effect_runtime: service.effect_runtime.handle(),
            effects: service.limits.effects.max(1),
            running_since_ns: Cell::new(Some(began_ns)),
            ran_until_ns: Cell::new(began_ns),
            has_turn: Cell::new(has_turn),
            ran_ns: Cell::new(0),
            overrunning_step: Cell::new(None),
            is_suspect: Cell::new(run_queue.is_some_and(|run_queue| run_queue.is_suspect(placement.flow))),
            run_delay_ns: Cell::new(None),
            last_step: Cell::new(None),
        }
    }

    /// How long its steps ran.
    pub(super) const fn ran_ns(&self) -> u64 {
        self.ran_ns.get()
    }

    /// A step begins, which could have run since `ready_ns`.
    pub(crate) fn begin_step(&self, step: u16, ready_ns: u64, at_ns: u64) {
        self.record_wait(ready_ns);
        let has_yielded = self.last_step.get().is_some_and(|(last, _)| last == step);
        if let Some(step_counters) = self.step_counters(step).filter(|_| has_yielded || at_ns > ready_ns) {
            step_counters.queued_ns.add(at_ns.saturating_sub(ready_ns));
            step_counters.yields.add(u64::from(has_yielded));
        }
        if self.is_suspect.get() {
            self.run_delay_ns.set(run_delay::run_delay_ns());
        }
        self.thread_status.current_step.begin(self.id.as_u128(), self.flow, step, self.base_ns + at_ns);
    }

    fn step_counters(&self, step: u16) -> Option<&StepCounters> {
        self.all_step_counters.get(usize::from(step))
    }

    /// It has returned. Whether it overran.
    pub(crate) fn end_step(&self, step: u16, at_ns: u64, end_ns: u64) -> bool {
        self.thread_status.current_step.end();
        self.ran_until_ns.set(end_ns);
        self.last_step.set(Some((step, end_ns)));
        if let Some(step_counters) = self.step_counters(step) {
            step_counters.runs.add(1);
            step_counters.executing_ns.add(end_ns.saturating_sub(at_ns));
        }
        let took_ns = end_ns.saturating_sub(at_ns);
        if took_ns >= LONG_STEP_NS {
            let (began_ns, ended_ns) = (self.base_ns + at_ns, self.base_ns + end_ns);
            self.thread_status.long_steps.push(LongStep { flow: self.flow, step, began_ns, ended_ns });
        }
        let overran = took_ns > self.quantum_ns;
        if overran {
            self.overran(step, took_ns, end_ns);
        }
        overran
    }

    /// How long a turn may take.
    pub(crate) const fn quantum_ns(&self) -> u64 {
        self.quantum_ns
    }

    /// The effects of its last step have taken until now; none, if it went on at once.
    pub(crate) fn record_wait(&self, now_ns: u64) {
        let Some((step, end_ns)) = self.last_step.get() else { return };
        if let Some(step_counters) = self.step_counters(step).filter(|_| now_ns > end_ns) {
            step_counters.waiting_ns.add(now_ns - end_ns);
        }
    }

    /// Whether an effect can begin, or waits for others that ask the same target.
    pub(crate) fn acquire_permit(&self, call: &Call) -> Admission {
        self.scheduler.effect_limiter.acquire(call, self.run_queue.is_none())
    }

    /// An effect that has no place at a target is in flight.
    pub(crate) fn count_in_flight(&self, call: &Call) -> Option<Permit> {
        self.scheduler.effect_limiter.count_in_flight(call.kind())
    }

    /// These calls of a step are asked for, some of them perhaps once more.
    pub(crate) fn record_retries(&self, step: u16, starts: &[RequestedCall]) {
        let again = starts.iter().filter(|start| start.attempt > 1).count();
        if let Some(step_counters) = self.step_counters(step).filter(|_| again > 0) {
            step_counters.retries.add(again as u64);
        }
    }

    /// An effect has ended for which its job did not wait any more.
    pub(crate) fn record_late_completion(&self) {
        self.thread_status.counters.late.add(1);
    }

    /// Takes what a call waited for, which was ready at this time. If that is long ago, the job records what this thread
    /// did since.
    pub(crate) fn record_completion_delay(
        &self,
        job: &mut Job,
        call: u32,
        watch: &mut Stopwatch,
        ready: Instant,
    ) {
        if let Some(late) = self.delay_since(watch, ready) {
            job.record_completion_delay(late.of(call));
        }
    }

    /// The same for the deadline of the request, for which all its calls are given up.
    pub(crate) fn record_deadline_delay(&self, job: &mut Job, watch: &mut Stopwatch, deadline_ns: u64) {
        if let Some(late) = self.delay_since(watch, watch.at(deadline_ns)) {
            job.record_completion_delays(|call| late.clone().of(call));
        }
    }

    fn delay_since(&self, watch: &mut Stopwatch, ready: Instant) -> Option<CompletionDelay> {
        let (ready_ns, at_ns) = (watch.since_start_ns(ready), watch.tick());
        let late_ns = at_ns.saturating_sub(ready_ns);
        (late_ns >= LONG_STEP_NS).then(|| self.delay(ready_ns, at_ns))
    }

    #[cold]
    fn delay(&self, ready_ns: u64, at_ns: u64) -> CompletionDelay {
        self.thread_status.counters.delayed_answers.add(1);
        self.thread_status.counters.answer_delay_ns.add(at_ns - ready_ns);
        let ran = self.thread_status.long_steps.most_of(self.base_ns + ready_ns, self.base_ns + at_ns);
        let (flow, step) = ran.map_or((Name::from(""), Name::from("")), |ran| self.scheduler.names(&ran));
        CompletionDelay { ready_ns, at_ns, thread: self.thread_status.thread(), flow, step }
    }

    /// The step because of which it is to move to low priority before its next one.
    pub(crate) const fn overrunning_step(&self) -> Option<u16> {
        self.overrunning_step.get()
    }

    /// Whether others go first now.
    pub(crate) fn is_quantum_over(&self, now_ns: u64) -> bool {
        self.running_since_ns
            .get()
            .is_some_and(|running_since_ns| now_ns.saturating_sub(running_since_ns) >= self.quantum_ns)
    }

    /// Lets others go first.
    pub(crate) async fn yield_turn(&self, watch: &mut Stopwatch) {
        self.suspend();
        let others_wait = match self.run_queue {
            Some(run_queue) => run_queue.yield_to_waiters().await,
            None => {
                tokio::task::yield_now().await;
                false
            }
        };
        match others_wait {
            true => self.resume(watch).await,
            false => self.running_since_ns.set(Some(watch.tick())),
        }
    }

    /// It goes on with the effects that it asks for, in a turn as if a step ran.
    pub(crate) async fn continue_turn(&self, watch: &mut Stopwatch) {
        match self.running_since_ns.get() {
            None => self.resume(watch).await,
            Some(_) if self.is_quantum_over(watch.now_ns()) => self.yield_turn(watch).await,
            Some(_) => self.ran_until_ns.set(watch.now_ns()),
        }
    }

    /// Many of its effects have begun or ended: others go first, unless it has a turn that is not over.
    pub(crate) async fn yield_between_effects(&self, watch: &mut Stopwatch) {
        match self.running_since_ns.get() {
            None => tokio::task::yield_now().await,
            Some(_) => self.continue_turn(watch).await,
        }
    }

    /// It waits for effects.
    pub(crate) fn suspend(&self) {
        let Some(running_since_ns) = self.running_since_ns.take() else { return };
        let ran_ns = self.ran_until_ns.get().saturating_sub(running_since_ns);
        self.ran_ns.set(self.ran_ns.get() + ran_ns);
        if let Some(run_queue) = self.run_queue {
            run_queue.release(self.class, self.flow, ran_ns, self.has_turn.take());
        }
    }

    /// Its effects have ended: it runs again as soon as it may.
    pub(crate) async fn resume(&self, watch: &mut Stopwatch) {
        if let Some(run_queue) = self.run_queue {
            let has_turn = run_queue.reenter(self.class, self.flow, self.base_ns + watch.now_ns()).await;
            self.has_turn.set(has_turn);
            if has_turn {
                watch.tick();
            }
        }
        self.running_since_ns.set(Some(watch.now_ns()));
        self.ran_until_ns.set(watch.now_ns());
    }

    #[cold]
    fn overran(&self, step: u16, took_ns: u64, end_ns: u64) {
        SchedulerState::increment(&self.scheduler.counters.overruns);
        if let Some(step_counters) = self.step_counters(step) {
            step_counters.overruns.add(1);
        }
        let Some(run_queue) = self.run_queue else { return };
        // The first time the clock alone counts, so that who is not under suspicion pays for nothing.
        self.is_suspect.set(true);
        if run_delay::without_run_delay_ns(took_ns, self.run_delay_ns.take(), run_delay::run_delay_ns())
            <= self.quantum_ns
        {
            return;
        }
        let now_ns = self.base_ns + end_ns;
        let until_ns = run_queue.overran(self.flow, step, now_ns);
        if let Some(until_ns) = until_ns.filter(|_| self.scheduler.batch.is_some()) {
            self.overrunning_step.set(Some(step));
            if self.scheduler.reclassify_flow(self.flow, step, until_ns, now_ns) {
                crate::operator_log::warn(&format!(
                    "step {} often exceeds its quantum of {}: flow {} runs in the batch pool for {}",
                    self.scheduler.step_name(self.flow, step),
                    HumanDuration { ns: self.quantum_ns },
                    self.scheduler.flow_name(self.flow),
                    HumanDuration { ns: self.scheduler.tuning().scheduling.probation_ns },
                ));
            }
        }
    }
}

/// The time in which something lay ready while the thread of its request was busy; see [`Event::CompletionDelayed`].
#[derive(Clone)]
struct CompletionDelay {
    ready_ns: u64,
    at_ns: u64,
    thread: Option<Thread>,
    flow: Name,
    step: Name,
}

impl CompletionDelay {
    fn of(self, call: u32) -> Event<SharedValue> {
        let Self { ready_ns, at_ns, thread, flow, step } = self;
        Event::CompletionDelayed { call, ready_ns, at_ns, thread, flow, step }
    }
}

impl Drop for RunSlice<'_> {
    /// However it ends, the next one has its turn.
    fn drop(&mut self) {
        self.thread_status.current_step.end();
        self.suspend();
    }
}
