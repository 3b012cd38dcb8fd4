//! The driver's interface to the scheduler: it reports when steps begin and end, and learns when other requests go first.

use std::cell::Cell;
use std::time::Instant;

use tokio::runtime::Handle;
use zerver_engine::{Class, Job, RequestId, RequestedCall};
use zerver_trace::duration::HumanDuration;
use zerver_trace::{Event, Name, SharedValue, Thread};

use super::dispatch::placement::Placement;
use super::effect_access::EffectAccess;
use super::metrics::counters::StepCounters;
use super::run_delay;
use super::run_queue::RunQueue;
use super::shared_state::SchedulerState;
use super::threads::long_steps::{LONG_STEP_NS, LongStep};
use super::threads::thread_status::ThreadStatus;
use crate::platform;
use crate::server::service::Service;
use crate::time::Stopwatch;

/// The run of one request on one thread.
pub(crate) struct RunSlice<'w> {
    scheduler: &'w SchedulerState,
    thread_status: &'w ThreadStatus,
    /// Counters of all steps of its flow.
    all_step_counters: &'w [StepCounters],
    /// `None` on a batch worker.
    run_queue: Option<&'w RunQueue>,
    id: RequestId,
    class: Class,
    flow: u16,
    /// Arrival of the request's head, on the service's clock.
    base_ns: u64,
    quantum_ns: u64,
    /// Runtime on which effects are performed.
    pub(crate) effect_runtime: &'w Handle,
    /// Maximum number of effects in flight for one request.
    pub(crate) effects: usize,
    /// Start of the current uninterrupted run; `None` while the request does not run.
    running_since_ns: Cell<Option<u64>>,
    /// Time up to which the current run has been measured.
    ran_until_ns: Cell<u64>,
    has_turn: Cell<bool>,
    /// Time that its steps ran.
    ran_ns: Cell<u64>,
    /// Step because of which the request must move to the batch pool.
    overrunning_step: Cell<Option<u16>>,
    /// True if a step of its flow has overrun recently.
    is_suspect: Cell<bool>,
    /// Run delay of the thread at the start of the current step, if the flow is suspect.
    run_delay_ns: Cell<Option<u64>>,
    /// The last step, and the time when it returned.
    last_step: Cell<Option<(u16, u64)>>,
}

impl<'w> RunSlice<'w> {
    /// Creates the slice of a request that starts or continues to run at `began_ns`. `has_turn` is true if it holds a turn.
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
            effect_runtime: service.effect_runtime.handle_for(thread_status.thread()),
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

    /// Returns the time that the steps of the request ran.
    pub(super) const fn ran_ns(&self) -> u64 {
        self.ran_ns.get()
    }

    /// Records that a step begins that could have run since `ready_ns`.
    pub(crate) fn begin_step(&self, step: u16, ready_ns: u64, at_ns: u64) {
        self.record_wait(ready_ns);
        let has_yielded = self.last_step.get().is_some_and(|(last, _)| last == step);
        if let Some(step_counters) = self.step_counters(step).filter(|_| has_yielded || at_ns > ready_ns) {
            step_counters.queued_ns.add(at_ns.saturating_sub(ready_ns));
            step_counters.yields.add(u64::from(has_yielded));
        }
        if self.is_suspect.get() {
            self.run_delay_ns.set(platform::run_delay_ns());
        }
        self.thread_status.current_step.begin(self.id.as_u128(), self.flow, step, self.base_ns + at_ns);
    }

    fn step_counters(&self, step: u16) -> Option<&StepCounters> {
        self.all_step_counters.get(usize::from(step))
    }

    /// Records that a step has returned. Returns true if it exceeded its quantum.
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

    /// Returns the longest time that a turn may take.
    pub(crate) const fn quantum_ns(&self) -> u64 {
        self.quantum_ns
    }

    /// Counts the time since the last step returned as time in which it waited for effects.
    pub(crate) fn record_wait(&self, now_ns: u64) {
        let Some((step, end_ns)) = self.last_step.get() else { return };
        if let Some(step_counters) = self.step_counters(step).filter(|_| now_ns > end_ns) {
            step_counters.waiting_ns.add(now_ns - end_ns);
        }
    }

    /// Returns what effects of the request need to start.
    pub(crate) fn effect_access(&self) -> EffectAccess<'_> {
        EffectAccess {
            scheduler: self.scheduler,
            runtime: self.effect_runtime,
            base_ns: self.base_ns,
            is_batch: self.run_queue.is_none(),
        }
    }

    /// Returns the last reading of the watch, on the clock of the service.
    pub(crate) const fn service_ns(&self, watch: &Stopwatch) -> u64 {
        self.base_ns + watch.now_ns()
    }

    /// Counts the retries among the calls that a step has requested.
    pub(crate) fn record_retries(&self, step: u16, starts: &[RequestedCall]) {
        let retries = starts.iter().filter(|start| start.attempt > 1).count();
        if let Some(step_counters) = self.step_counters(step).filter(|_| retries > 0) {
            step_counters.retries.add(retries as u64);
        }
    }

    /// Counts an effect that completed when its job no longer waited for it.
    pub(crate) fn record_late_completion(&self) {
        self.thread_status.counters.late.add(1);
    }

    /// Ticks the watch for a completion that has been ready since `ready`. If that is long ago, the job records the delay
    /// and the step that this thread ran meanwhile.
    pub(crate) fn record_completion_delay(
        &self,
        job: &mut Job,
        call: u32,
        watch: &mut Stopwatch,
        ready: Instant,
    ) {
        if let Some(delay) = self.delay_since(watch, ready) {
            job.record_completion_delay(delay.event(call));
        }
    }

    /// Does the same when the deadline of the request passes: a delay is recorded for each call that is abandoned.
    pub(crate) fn record_deadline_delay(&self, job: &mut Job, watch: &mut Stopwatch, deadline_ns: u64) {
        if let Some(delay) = self.delay_since(watch, watch.at(deadline_ns)) {
            job.record_completion_delays(|call| delay.clone().event(call));
        }
    }

    fn delay_since(&self, watch: &mut Stopwatch, ready: Instant) -> Option<CompletionDelay> {
        let (ready_ns, at_ns) = (watch.since_start_ns(ready), watch.tick());
        let delay_ns = at_ns.saturating_sub(ready_ns);
        (delay_ns >= LONG_STEP_NS).then(|| self.delay(ready_ns, at_ns))
    }

    #[cold]
    fn delay(&self, ready_ns: u64, at_ns: u64) -> CompletionDelay {
        self.thread_status.counters.delayed_answers.add(1);
        self.thread_status.counters.answer_delay_ns.add(at_ns - ready_ns);
        let long_step =
            self.thread_status.long_steps.longest_between(self.base_ns + ready_ns, self.base_ns + at_ns);
        let (flow, step) =
            long_step.map_or((Name::from(""), Name::from("")), |long_step| self.scheduler.names(&long_step));
        CompletionDelay { ready_ns, at_ns, thread: self.thread_status.thread(), flow, step }
    }

    /// Returns the step because of which the request must move to the batch pool before its next step.
    pub(crate) const fn overrunning_step(&self) -> Option<u16> {
        self.overrunning_step.get()
    }

    /// Returns true if the request has used its quantum, so that others go first.
    pub(crate) fn is_quantum_over(&self, now_ns: u64) -> bool {
        self.running_since_ns
            .get()
            .is_some_and(|running_since_ns| now_ns.saturating_sub(running_since_ns) >= self.quantum_ns)
    }

    /// Lets other requests go first.
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

    /// Continues with the effects that the job requested. They use up the turn as a step does.
    pub(crate) async fn continue_turn(&self, watch: &mut Stopwatch) {
        match self.running_since_ns.get() {
            None => self.resume(watch).await,
            Some(_) if self.is_quantum_over(watch.now_ns()) => self.yield_turn(watch).await,
            Some(_) => self.ran_until_ns.set(watch.now_ns()),
        }
    }

    /// Lets other requests go first after many effects have started or completed, unless the current turn is not over.
    pub(crate) async fn yield_between_effects(&self, watch: &mut Stopwatch) {
        match self.running_since_ns.get() {
            None => tokio::task::yield_now().await,
            Some(_) => self.continue_turn(watch).await,
        }
    }

    /// Ends the current run, for example because the request waits for effects.
    pub(crate) fn suspend(&self) {
        let Some(running_since_ns) = self.running_since_ns.take() else { return };
        let ran_ns = self.ran_until_ns.get().saturating_sub(running_since_ns);
        self.ran_ns.set(self.ran_ns.get() + ran_ns);
        if let Some(run_queue) = self.run_queue {
            run_queue.release(self.class, self.flow, ran_ns, self.has_turn.take());
        }
    }

    /// Starts a new run as soon as the request may run.
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
        // The run delay of the first overrun is unknown and not subtracted: reading it costs a system call per step, which
        // only suspect flows pay for.
        self.is_suspect.set(true);
        if run_delay::without_run_delay_ns(took_ns, self.run_delay_ns.take(), platform::run_delay_ns())
            <= self.quantum_ns
        {
            return;
        }
        let now_ns = self.base_ns + end_ns;
        let until_ns = run_queue.record_overrun(self.flow, step, now_ns);
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

/// Time for which a completion was ready while the thread of its request was busy; see [`Event::CompletionDelayed`].
#[derive(Clone)]
struct CompletionDelay {
    ready_ns: u64,
    at_ns: u64,
    thread: Option<Thread>,
    flow: Name,
    step: Name,
}

impl CompletionDelay {
    fn event(self, call: u32) -> Event<SharedValue> {
        let Self { ready_ns, at_ns, thread, flow, step } = self;
        Event::CompletionDelayed { call, ready_ns, at_ns, thread, flow, step }
    }
}

impl Drop for RunSlice<'_> {
    /// Passes the turn on, also if the request is canceled or a step panics.
    fn drop(&mut self) {
        self.thread_status.current_step.end();
        self.suspend();
    }
}
