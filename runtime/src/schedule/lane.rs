//! What the driver sees of the scheduler: when a step begins and ends, and when others go first.

use std::cell::Cell;
use std::time::Instant;

use tokio::runtime::Handle;
use zerver_engine::{Call, Class, Job, RequestId, Start};
use zerver_trace::duration::HumanDuration;
use zerver_trace::{Event, Name, SharedValue, Thread};

use super::board::Board;
use super::kept;
use super::long_runs::{LONG_RUN_NS, LongRun};
use super::shared::Shared;
use super::tally::OfStep;
use super::targets::{Entered, Place};
use super::turns::Turns;
use crate::time::Stopwatch;

/// How a drive ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drove {
    /// The job is at its end.
    Ended,
    /// It is to go on at low priority, because of this step.
    Slow(u16),
}

/// The way of one request on one worker.
pub(crate) struct Lane<'w> {
    pub(super) shared: &'w Shared,
    pub(super) board: &'w Board,
    /// What is counted of the steps of its flow.
    pub(super) steps: &'w [OfStep],
    /// None on a thread of low priority.
    pub(super) turns: Option<&'w Turns>,
    pub(super) id: RequestId,
    pub(super) class: Class,
    pub(super) flow: u16,
    /// When the request's head arrived, on the service's clock.
    pub(super) base_ns: u64,
    pub(super) quantum_ns: u64,
    /// Where effects are performed.
    pub(crate) effect_runtime: &'w Handle,
    /// So many effects may be in flight.
    pub(crate) effects: usize,
    /// When it began to run without a pause; none while it does not.
    pub(super) since_ns: Cell<Option<u64>>,
    /// The last time that it told.
    pub(super) last_ns: Cell<u64>,
    pub(super) has_turn: Cell<bool>,
    /// How long its steps ran.
    pub(super) ran_ns: Cell<u64>,
    pub(super) slow_step: Cell<Option<u16>>,
    /// Whether a step of its flow has overrun lately.
    pub(super) is_suspect: Cell<bool>,
    /// How long its thread had been kept from a core when a suspect step began.
    pub(super) kept_ns: Cell<Option<u64>>,
    /// Its last step, and when that returned.
    pub(super) last_step: Cell<Option<(u16, u64)>>,
}

impl Lane<'_> {
    /// A step begins, which could have run since `ready_ns`.
    pub(crate) fn begin(&self, step: u16, ready_ns: u64, at_ns: u64) {
        self.waited_until(ready_ns);
        let has_yielded = self.last_step.get().is_some_and(|(last, _)| last == step);
        if let Some(cells) = self.cells(step).filter(|_| has_yielded || at_ns > ready_ns) {
            cells.queued_ns.add(at_ns.saturating_sub(ready_ns));
            cells.yields.add(u64::from(has_yielded));
        }
        if self.is_suspect.get() {
            self.kept_ns.set(kept::kept_ns());
        }
        self.board.current.begin(self.id.as_u128(), self.flow, step, self.base_ns + at_ns);
    }

    fn cells(&self, step: u16) -> Option<&OfStep> {
        self.steps.get(usize::from(step))
    }

    /// It has returned. Whether it overran.
    pub(crate) fn end(&self, step: u16, at_ns: u64, end_ns: u64) -> bool {
        self.board.current.end();
        self.last_ns.set(end_ns);
        self.last_step.set(Some((step, end_ns)));
        if let Some(cells) = self.cells(step) {
            cells.runs.add(1);
            cells.executing_ns.add(end_ns.saturating_sub(at_ns));
        }
        let took_ns = end_ns.saturating_sub(at_ns);
        if took_ns >= LONG_RUN_NS {
            let (began_ns, ended_ns) = (self.base_ns + at_ns, self.base_ns + end_ns);
            self.board.long_runs.push(LongRun { flow: self.flow, step, began_ns, ended_ns });
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
    pub(crate) fn waited_until(&self, now_ns: u64) {
        let Some((step, end_ns)) = self.last_step.get() else { return };
        if let Some(cells) = self.cells(step).filter(|_| now_ns > end_ns) {
            cells.waiting_ns.add(now_ns - end_ns);
        }
    }

    /// Whether an effect can begin, or waits for others that ask the same target.
    pub(crate) fn enter(&self, call: &Call) -> Entered {
        self.shared.targets.enter(call, self.turns.is_none())
    }

    /// An effect that has no place at a target is in flight.
    pub(crate) fn count(&self, call: &Call) -> Option<Place> {
        self.shared.targets.count(call.kind())
    }

    /// These calls of a step are asked for, some of them perhaps once more.
    pub(crate) fn asks(&self, step: u16, starts: &[Start]) {
        let again = starts.iter().filter(|start| start.attempt > 1).count();
        if let Some(cells) = self.cells(step).filter(|_| again > 0) {
            cells.retries.add(again as u64);
        }
    }

    /// An effect has ended for which its job did not wait any more.
    pub(crate) fn late(&self) {
        self.board.tally.late.add(1);
    }

    /// Takes what a call waited for, which was ready at this time. If that is long ago, the job records what this thread
    /// did since.
    pub(crate) fn takes(&self, job: &mut Job, call: u32, watch: &mut Stopwatch, ready: Instant) {
        if let Some(late) = self.lateness(watch, ready) {
            job.late(late.of(call));
        }
    }

    /// The same for the deadline of the request, for which all its calls are given up.
    pub(crate) fn takes_deadline(&self, job: &mut Job, watch: &mut Stopwatch, deadline_ns: u64) {
        if let Some(late) = self.lateness(watch, watch.at(deadline_ns)) {
            job.all_late(|call| late.clone().of(call));
        }
    }

    fn lateness(&self, watch: &mut Stopwatch, ready: Instant) -> Option<Late> {
        let (ready_ns, at_ns) = (watch.since_start_ns(ready), watch.tick());
        let late_ns = at_ns.saturating_sub(ready_ns);
        (late_ns >= LONG_RUN_NS).then(|| self.late_by(ready_ns, at_ns))
    }

    #[cold]
    fn late_by(&self, ready_ns: u64, at_ns: u64) -> Late {
        self.board.tally.delayed_answers.add(1);
        self.board.tally.answer_delay_ns.add(at_ns - ready_ns);
        let ran = self.board.long_runs.most_of(self.base_ns + ready_ns, self.base_ns + at_ns);
        let (flow, step) = ran.map_or((Name::from(""), Name::from("")), |ran| self.shared.names(&ran));
        Late { ready_ns, at_ns, thread: self.board.thread(), flow, step }
    }

    /// The step because of which it is to move to low priority before its next one.
    pub(crate) const fn slow_step(&self) -> Option<u16> {
        self.slow_step.get()
    }

    /// Whether others go first now.
    pub(crate) fn is_over(&self, now_ns: u64) -> bool {
        self.since_ns.get().is_some_and(|since_ns| now_ns.saturating_sub(since_ns) >= self.quantum_ns)
    }

    /// Lets others go first.
    pub(crate) async fn pause(&self, watch: &mut Stopwatch) {
        self.stop();
        let others_wait = match self.turns {
            Some(turns) => turns.others_come().await,
            None => {
                tokio::task::yield_now().await;
                false
            }
        };
        match others_wait {
            true => self.resume(watch).await,
            false => self.since_ns.set(Some(watch.tick())),
        }
    }

    /// It goes on with the effects that it asks for, in a turn as if a step ran.
    pub(crate) async fn go_on(&self, watch: &mut Stopwatch) {
        match self.since_ns.get() {
            None => self.resume(watch).await,
            Some(_) if self.is_over(watch.now_ns()) => self.pause(watch).await,
            Some(_) => self.last_ns.set(watch.now_ns()),
        }
    }

    /// Many of its effects have begun or ended: others go first, unless it has a turn that is not over.
    pub(crate) async fn let_others(&self, watch: &mut Stopwatch) {
        match self.since_ns.get() {
            None => tokio::task::yield_now().await,
            Some(_) => self.go_on(watch).await,
        }
    }

    /// It waits for effects.
    pub(crate) fn stop(&self) {
        let Some(since_ns) = self.since_ns.take() else { return };
        let ran_ns = self.last_ns.get().saturating_sub(since_ns);
        self.ran_ns.set(self.ran_ns.get() + ran_ns);
        if let Some(turns) = self.turns {
            turns.give_back(self.class, self.flow, ran_ns, self.has_turn.take());
        }
    }

    /// Its effects have ended: it runs again as soon as it may.
    pub(crate) async fn resume(&self, watch: &mut Stopwatch) {
        if let Some(turns) = self.turns {
            let has_turn = turns.enter_again(self.class, self.flow, self.base_ns + watch.now_ns()).await;
            self.has_turn.set(has_turn);
            if has_turn {
                watch.tick();
            }
        }
        self.since_ns.set(Some(watch.now_ns()));
        self.last_ns.set(watch.now_ns());
    }

    #[cold]
    fn overran(&self, step: u16, took_ns: u64, end_ns: u64) {
        Shared::count(&self.shared.counters.overruns);
        if let Some(cells) = self.cells(step) {
            cells.overruns.add(1);
        }
        let Some(turns) = self.turns else { return };
        // The first time the clock alone counts, so that who is not under suspicion pays for nothing.
        self.is_suspect.set(true);
        if kept::own_ns(took_ns, self.kept_ns.take(), kept::kept_ns()) <= self.quantum_ns {
            return;
        }
        let now_ns = self.base_ns + end_ns;
        let until_ns = turns.overran(self.flow, step, now_ns);
        if let Some(until_ns) = until_ns.filter(|_| self.shared.low.is_some()) {
            self.slow_step.set(Some(step));
            if self.shared.is_slow(self.flow, step, until_ns, now_ns) {
                crate::notice::warn(&format!(
                    "{} overruns {} often: {} runs with batch for {}",
                    self.shared.step_name(self.flow, step),
                    HumanDuration { ns: self.quantum_ns },
                    self.shared.flow_name(self.flow),
                    HumanDuration { ns: self.shared.tuning().scheduling.probation_ns },
                ));
            }
        }
    }
}

/// The time in which something lay ready while the thread of its request was busy; see [`Event::CompletionDelayed`].
#[derive(Clone)]
struct Late {
    ready_ns: u64,
    at_ns: u64,
    thread: Option<Thread>,
    flow: Name,
    step: Name,
}

impl Late {
    fn of(self, call: u32) -> Event<SharedValue> {
        let Self { ready_ns, at_ns, thread, flow, step } = self;
        Event::CompletionDelayed { call, ready_ns, at_ns, thread: thread, flow, step }
    }
}

impl Drop for Lane<'_> {
    /// However it ends, the next one has its turn.
    fn drop(&mut self) {
        self.board.current.end();
        self.stop();
    }
}
