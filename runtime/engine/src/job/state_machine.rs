//! The job itself: runs steps, performs their effects, and ends with a response.

use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use smallvec::SmallVec;
use zerver_trace::{Answer, Decision, Event, Outcome, PolicyDecision, SharedValue};

use super::event_log::EventLog;
use super::lifecycle::{Arrival, FinishedJob, Next, StopReason};
use super::recovery::{UndoPanicked, panic_text};
use super::undo_log::{FailedEnd, UndoLog};
use crate::effect::{
    AttemptEnd, CallResult, EffectMachine, MachineContext, MachineNote, Progress, RequestedCall, RetryVerdict,
};
use crate::slot::Builtins;
use crate::{ArrivalTime, ErasedDecision, Failure, Flow, Random, Request, Response, StepInput, Writes};

/// A call that has completed: its number, its result, and what decides about another attempt.
type CompletedCall<'a> = (u32, CallResult, &'a mut dyn FnMut(&AttemptEnd<'_>) -> RetryVerdict);

/// A request in execution: a state machine without I/O, moved by its driver.
///
/// All times that it takes and records are nanoseconds since the head of the request arrived.
pub struct Job {
    pub(super) flow: Arc<Flow>,
    builtins: Builtins,
    pub(super) slots: SmallVec<[Option<SharedValue>; 8]>,
    /// Position of the step that runs next, or whose effect is in progress.
    pub(super) step: u16,
    /// Effect in progress.
    pub(super) effect: Option<Box<EffectMachine<Writes>>>,
    /// Progress with which the step last yielded.
    progress: Option<SharedValue>,
    next_call: u32,
    pub(super) requested: SmallVec<[RequestedCall; 2]>,
    /// Calls that the driver has to drop.
    canceled: Vec<u32>,
    /// Time from which the next step could run.
    pub(super) ready_ns: u64,
    end: Option<(Outcome, Option<Response>)>,
    pub(super) undo_log: Option<Box<UndoLog>>,
    pub(super) log: EventLog,
}

impl Job {
    /// Creates a job whose body had been read at `received_ns`.
    pub fn new(flow: Arc<Flow>, arrival: Arrival, received_ns: u64) -> Self {
        let mut events = Vec::with_capacity(flow.event_capacity());
        events.push(Event::BodyReceived { at_ns: received_ns });
        let log = EventLog { events: Some(events), dropped: 0 };
        Self { log, ..Self::new_unrecorded(flow, arrival, received_ns) }
    }

    /// Creates a job that records no events.
    pub fn new_unrecorded(flow: Arc<Flow>, arrival: Arrival, received_ns: u64) -> Self {
        let mut slots = SmallVec::new();
        slots.resize_with(flow.slot_count(), || None);
        Self {
            builtins: Builtins {
                request: arrival.request,
                id: arrival.id,
                arrival: ArrivalTime { unix_ns: arrival.unix_ns },
                random: Random { seed: arrival.seed },
            },
            slots,
            step: 0,
            effect: None,
            progress: None,
            next_call: 0,
            requested: SmallVec::new(),
            canceled: Vec::new(),
            ready_ns: received_ns,
            end: None,
            undo_log: None,
            log: EventLog::default(),
            flow,
        }
    }

    /// Creates a second job in the same state and with the same inputs, so that their next steps can be compared. It
    /// has no events yet. Returns `None` while an effect is in progress, which cannot be copied, and after the job has
    /// ended.
    pub fn twin(&self) -> Option<Self> {
        if self.effect.is_some() || self.end.is_some() || self.is_undoing() {
            return None;
        }
        Some(Self {
            flow: Arc::clone(&self.flow),
            builtins: self.builtins.clone(),
            slots: self.slots.clone(),
            step: self.step,
            effect: None,
            progress: self.progress.clone(),
            next_call: self.next_call,
            requested: SmallVec::new(),
            canceled: Vec::new(),
            ready_ns: self.ready_ns,
            end: None,
            undo_log: None,
            log: EventLog { events: Some(Vec::new()), dropped: 0 },
        })
    }

    /// Returns its flow.
    pub const fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    /// Returns its request.
    pub fn request(&self) -> &Request {
        &self.builtins.request
    }

    /// Returns the events so far, in order. Empty if nothing is recorded.
    pub fn events(&self) -> &[Event<SharedValue>] {
        self.log.events.as_deref().unwrap_or_default()
    }

    /// Returns its outcome and its response, if it has ended, or would end if it had nothing to undo.
    pub fn outcome(&self) -> Option<(&Outcome, Option<&Response>)> {
        let failed = || self.undo_log.as_ref()?.end.as_ref().map(|end| (&end.outcome, end.response.as_ref()));
        self.end.as_ref().map(|(outcome, response)| (outcome, response.as_ref())).or_else(failed)
    }

    /// Returns the position of the step that runs next, or whose effect is in progress.
    pub const fn position(&self) -> u16 {
        self.step
    }

    /// Returns the time from which that step could run.
    pub const fn ready_ns(&self) -> u64 {
        self.ready_ns
    }

    /// Runs one step, which starts at `at_ns`. `clock` is called once, after the step has returned.
    pub fn run(&mut self, at_ns: u64, clock: impl FnOnce() -> u64) -> Next {
        if self.end.is_some() {
            return Next::Ended;
        }
        if self.effect.is_some() || self.is_undoing() {
            return self.next();
        }
        let Some(step) = self.flow.step(self.step) else { return self.fail_without_response(at_ns) };
        let progress = self.progress.take();
        let input = StepInput {
            builtins: &self.builtins,
            slots: &self.slots,
            reads: &step.reads,
            progress: progress.as_ref(),
        };
        let decided = catch_unwind(AssertUnwindSafe(|| (step.run)(&input)));
        let end_ns = clock();
        self.log.record(|| Event::StepRan {
            step: self.step,
            ready_ns: self.ready_ns,
            at_ns,
            cpu_ns: end_ns.saturating_sub(at_ns),
            decision: decided.as_ref().map_or(Decision::Panic, ErasedDecision::recorded),
        });
        self.ready_ns = end_ns;
        match decided {
            Ok(ErasedDecision::Continue(writes)) => self.continue_with(writes, end_ns),
            Ok(ErasedDecision::Need(effect)) => {
                self.effect = Some(Box::new(effect.into_machine(self.next_call)));
                self.advance_effect(None, end_ns)
            }
            Ok(ErasedDecision::Yield(progress)) => {
                let step = self.step;
                self.log.record(|| Event::StepYielded { step, progress: Arc::clone(&progress) });
                self.progress = Some(progress);
                Next::Run
            }
            Ok(ErasedDecision::Done(response)) => self.respond(response),
            Ok(ErasedDecision::Fail(failure)) => self.fail(failure, end_ns),
            Err(panic) => self.panicked(&*panic, end_ns),
        }
    }

    /// Returns the value of a slot, if it is written.
    pub fn slot(&self, slot: u16) -> Option<&SharedValue> {
        self.slots.get(usize::from(slot))?.as_ref()
    }

    /// Replaces the value of a slot from here on, to find out what the flow would do then. It is not recorded. The
    /// value must come from [`Flow::decode_slot`].
    pub fn override_slot(&mut self, slot: u16, value: SharedValue) {
        if let Some(current) = self.slots.get_mut(usize::from(slot)) {
            *current = Some(value);
        }
    }

    /// Returns the calls to start, each once.
    pub fn take_requested_calls(&mut self) -> SmallVec<[RequestedCall; 2]> {
        mem::take(&mut self.requested)
    }

    /// Appends the calls to start to `calls`, each once.
    pub fn append_requested_calls(&mut self, calls: &mut SmallVec<[RequestedCall; 2]>) {
        match calls.is_empty() {
            true => mem::swap(calls, &mut self.requested),
            false => calls.append(&mut self.requested),
        }
    }

    /// Returns true if calls have become superfluous; see [`take_canceled_calls`](Self::take_canceled_calls).
    pub const fn has_canceled_calls(&self) -> bool {
        !self.canceled.is_empty()
    }

    /// Returns the calls that have become superfluous since the last time. The driver drops those that it has started.
    pub fn take_canceled_calls(&mut self) -> Vec<u32> {
        mem::take(&mut self.canceled)
    }

    /// Returns true if this call is in flight and its result still matters. Otherwise the job ignores the result.
    pub fn is_waiting_for(&self, number: u32) -> bool {
        self.effect.as_ref().is_some_and(|effect| effect.is_waiting_for(number))
    }

    /// Takes in the result of a call. It is ignored if the job no longer waits for the call.
    pub fn complete(&mut self, number: u32, at_ns: u64, result: CallResult) -> Next {
        self.complete_with(number, at_ns, result, &mut |_| RetryVerdict::Own)
    }

    /// Takes in the result of a call. `decide` decides about another attempt of the call, instead of the effect alone.
    pub fn complete_with(
        &mut self,
        number: u32,
        at_ns: u64,
        result: CallResult,
        decide: &mut dyn FnMut(&AttemptEnd<'_>) -> RetryVerdict,
    ) -> Next {
        if !self.is_waiting_for(number) {
            return self.next();
        }
        self.log.record(|| {
            let answer = match &result {
                Ok(output) => Answer::Ok(Arc::clone(output)),
                Err(error) => Answer::Err(error.clone()),
            };
            Event::EffectCompleted { call: number, at_ns, answer }
        });
        self.advance_effect(Some((number, result, decide)), at_ns)
    }

    /// Goes on with the effect in progress, after [`Next::Advance`].
    pub fn advance(&mut self, at_ns: u64) -> Next {
        self.advance_effect(None, at_ns)
    }

    /// Ends the job, or makes it undo its effects. While it does, this ends the job at once. Calls in flight are
    /// canceled: the driver must drop them.
    pub fn stop(&mut self, reason: StopReason, at_ns: u64) -> Next {
        if self.end.is_some() {
            return Next::Ended;
        }
        if self.is_undoing() {
            return self.stop_undoing(at_ns);
        }
        for call in self.effect.iter().flat_map(|effect| effect.calls_in_flight()) {
            self.log.record(|| Event::EffectCompleted { call, at_ns, answer: Answer::Canceled });
        }
        let step = self.step;
        match reason {
            StopReason::ClientLeft => self.end_with(Outcome::ClientLeft { step }, None, None),
            StopReason::DeadlinePassed => {
                let failure = Failure::new(zerver_trace::FailureKind::Timeout, "request");
                let response = self.render(&failure);
                self.end_with(Outcome::TimedOut { step }, Some(response), Some(failure))
            }
        }
    }

    /// Ends the job with this response before any of its steps has run.
    pub fn reject(&mut self, response: Response, reason: String) {
        if self.end.is_none() {
            self.finish_with(Outcome::Rejected { reason }, Some(response));
        }
    }

    /// Returns the result of the job, once. A job that has not ended counts as one whose client has left.
    pub fn finish(&mut self) -> FinishedJob {
        if self.end.is_none() && self.stop(StopReason::ClientLeft, self.ready_ns) == Next::Undo {
            self.stop_undoing(self.ready_ns);
        }
        // Without recording these are the last owners of their values, and the `Drop` of a value may panic.
        let (slots, progress) = (mem::take(&mut self.slots), self.progress.take());
        let (effect, undo_log) = (self.effect.take(), self.undo_log.take());
        let _ = catch_unwind(AssertUnwindSafe(|| drop((slots, progress, effect, undo_log))));
        let (outcome, response) = self.end.take().unwrap_or((Outcome::ClientLeft { step: self.step }, None));
        let events = self.log.events.take().unwrap_or_default();
        self.flow.record_event_count(events.len());
        FinishedJob { outcome, response, events, events_dropped: self.log.dropped }
    }

    pub(super) fn next(&self) -> Next {
        match (&self.end, &self.effect) {
            (Some(_), _) => Next::Ended,
            (None, Some(effect)) if effect.has_more() => Next::Advance,
            (None, Some(_)) => Next::Wait,
            (None, None) if self.is_undoing() => Next::Undo,
            (None, None) => Next::Run,
        }
    }

    /// Goes on with the effect in progress, with the result of one of its calls if there is one.
    fn advance_effect(&mut self, result: Option<CompletedCall<'_>>, at_ns: u64) -> Next {
        let Some(effect) = &mut self.effect else { return self.next() };
        let first = self.requested.len();
        let mut context = MachineContext {
            next_call: &mut self.next_call,
            requested: &mut self.requested,
            random: self.builtins.random,
            now_ns: at_ns,
        };
        let progress = catch_unwind(AssertUnwindSafe(|| {
            if let Some((number, result, decide)) = result {
                effect.complete(number, &result, &mut context, decide);
            }
            effect.advance(&mut context)
        }));
        let registered = effect.take_registered();
        for RequestedCall { number, call, attempt, .. } in &self.requested[first..] {
            self.log.record(|| Event::EffectRequested {
                call: *number,
                step: self.step,
                at_ns,
                kind: call.kind().into(),
                args: Arc::clone(call.args_value()),
                attempt: *attempt,
                timeout_ns: call
                    .time_limit()
                    .map(|limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)),
            });
        }
        for note in effect.take_notes() {
            let event = match note {
                MachineNote::Canceled(call) => {
                    self.canceled.push(call);
                    Event::EffectCompleted { call, at_ns, answer: Answer::Canceled }
                }
                MachineNote::Hedged(call, has_won) => {
                    let decision = if has_won { PolicyDecision::HedgeWon } else { PolicyDecision::HedgeLost };
                    Event::PolicyDecided { call, at_ns, decision, wait_ns: 0 }
                }
            };
            self.log.record(|| event);
        }
        let is_waiting = effect.is_waiting();
        // What an undo has done is not undone.
        if !registered.is_empty() && !self.is_undoing() {
            self.register(registered, at_ns);
        }
        let progress = match progress {
            Ok(Progress::Waiting) if !is_waiting => {
                Ok(Progress::Ended(Err(Failure::internal("effect").message("waits for no call"))))
            }
            progress => progress,
        };
        match progress {
            Ok(Progress::HasMore) => Next::Advance,
            Ok(Progress::Waiting) => Next::Wait,
            Ok(Progress::Ended(result)) if self.is_undoing() => self.undo_ended(result.map(|_| ()), at_ns),
            Err(panic) if self.is_undoing() => {
                let failure = Failure::internal("undo").because(&UndoPanicked(panic_text(&*panic)));
                self.undo_ended(Err(failure), at_ns)
            }
            Ok(Progress::Ended(Ok(writes))) => {
                self.effect = None;
                self.ready_ns = at_ns;
                self.continue_with(writes, at_ns)
            }
            Ok(Progress::Ended(Err(failure))) => self.fail(failure, at_ns),
            Err(panic) => self.panicked(&*panic, at_ns),
        }
    }

    /// Writes slots and goes on with the next step.
    fn continue_with(&mut self, mut writes: Writes, at_ns: u64) -> Next {
        let at = self.step;
        let Some(step) = self.flow.step(at) else { return self.fail_without_response(at_ns) };
        for (&slot, value) in std::iter::zip(&step.writes, &mut writes) {
            let Some(value) = value.take() else { continue };
            self.log.record(|| Event::SlotWritten { step: at, slot, at_ns, value: Arc::clone(&value) });
            self.slots[usize::from(slot)] = Some(value);
        }
        self.step += 1;
        if usize::from(self.step) < self.flow.step_count() {
            Next::Run
        } else {
            self.fail_without_response(at_ns)
        }
    }

    pub(super) fn render(&self, failure: &Failure) -> Response {
        self.flow.render(failure, &self.builtins.request)
    }

    pub(super) const fn next_call_number(&self) -> u32 {
        self.next_call
    }

    pub(super) fn discard_requested_calls(&mut self) {
        self.requested.clear();
    }

    /// Ends a job that has failed, or first makes it undo its effects.
    pub(super) fn end_with(
        &mut self,
        outcome: Outcome,
        response: Option<Response>,
        failure: Option<Failure>,
    ) -> Next {
        if self.undo_log.is_none() {
            return self.finish_with(outcome, response);
        }
        self.effect = None;
        self.requested.clear();
        if let Some(log) = &mut self.undo_log {
            log.end = Some(FailedEnd { outcome, response, failure });
        }
        Next::Undo
    }

    /// Ends a job that has succeeded. Nothing is undone.
    pub(super) fn end_without_undoing(&mut self, outcome: Outcome, response: Response) -> Next {
        if let Some(log) = &mut self.undo_log {
            log.discard_undos();
        }
        self.end_with(outcome, Some(response), None)
    }

    pub(super) fn finish_with(&mut self, outcome: Outcome, response: Option<Response>) -> Next {
        self.effect = None;
        self.requested.clear();
        self.end = Some((outcome, response));
        Next::Ended
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("flow", &self.flow.info().name)
            .field("id", &self.builtins.id)
            .field("step", &self.step)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
