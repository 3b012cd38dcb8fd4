//! The job itself: its state, and how it runs steps.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use smallvec::SmallVec;
use zerver_trace::{Decision, Event, Outcome, SharedValue};

use super::event_log::EventLog;
use super::lifecycle::{Arrival, Next};
use super::streaming::Streaming;
use super::undo_log::UndoLog;
use crate::effect::{EffectMachine, RequestedCall};
use crate::message::evaluate_conditions;
use crate::slot::Builtins;
use crate::{ArrivalTime, ErasedDecision, Failure, Flow, Random, Request, Response, StepInput, Writes};

/// A request in execution: a state machine without I/O, moved by its driver.
///
/// All times that it takes and records are nanoseconds since the head of the request arrived.
pub struct Job {
    pub(super) flow: Arc<Flow>,
    pub(super) builtins: Builtins,
    pub(super) slots: SmallVec<[Option<SharedValue>; 8]>,
    /// Position of the step that runs next, or whose effect is in progress.
    pub(super) step: u16,
    /// Effect in progress.
    pub(super) effect: Option<Box<EffectMachine<Writes>>>,
    /// Progress with which the step last yielded.
    pub(super) progress: Option<SharedValue>,
    pub(super) next_call: u32,
    pub(super) requested: SmallVec<[RequestedCall; 2]>,
    /// Calls that the driver has to drop.
    pub(super) canceled: Vec<u32>,
    /// Time from which the next step could run.
    pub(super) ready_ns: u64,
    /// The end of the request, once only the body of its response is missing.
    pub(super) streaming: Option<Box<Streaming>>,
    pub(super) end: Option<(Outcome, Option<Response>)>,
    pub(super) undo_log: Option<Box<UndoLog>>,
    pub(super) log: EventLog,
}

impl Job {
    /// Creates a job whose body had been read at `received_ns`.
    // Inlined like those below, so that the large value is made in its place instead of being moved there.
    #[inline(always)]
    pub fn new(flow: Arc<Flow>, arrival: Arrival, received_ns: u64) -> Self {
        let mut events = Vec::with_capacity(flow.event_capacity());
        events.push(Event::BodyReceived { at_ns: received_ns });
        let log = EventLog { events: Some(events), dropped: 0 };
        Self { log, ..Self::new_unrecorded(flow, arrival, received_ns) }
    }

    /// Creates a job that records no events.
    #[inline(always)]
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
            streaming: None,
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
        if self.effect.is_some() || self.end.is_some() || self.streaming.is_some() || self.is_undoing() {
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
            streaming: None,
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

    /// Returns its outcome and its response, if it has ended, or would end if it had nothing to undo and no body to make.
    pub fn outcome(&self) -> Option<(&Outcome, Option<&Response>)> {
        let failed = || self.undo_log.as_ref()?.end.as_ref().map(|end| (&end.outcome, end.response.as_ref()));
        let streaming = || self.streaming.as_ref().map(|end| (&end.outcome, Some(&end.response)));
        let ended = self.end.as_ref().map(|(outcome, response)| (outcome, response.as_ref()));
        ended.or_else(streaming).or_else(failed)
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
        if self.effect.is_some() || self.streaming.is_some() || self.is_undoing() {
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
            Ok(ErasedDecision::Done(response)) => {
                let response = evaluate_conditions(&self.builtins.request, response)
                    .unwrap_or_else(|failure| self.render(&failure));
                self.respond(response)
            }
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

    pub(super) fn next(&self) -> Next {
        match (&self.end, &self.effect) {
            (Some(_), _) => Next::Ended,
            (None, Some(effect)) if effect.has_more() => Next::Advance,
            (None, Some(_)) => Next::Wait,
            (None, None) if self.streaming.is_some() => Next::Stream,
            (None, None) if self.is_undoing() => Next::Undo,
            (None, None) => Next::Run,
        }
    }

    /// Writes slots and goes on with the next step.
    pub(super) fn continue_with(&mut self, mut writes: Writes, at_ns: u64) -> Next {
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
