//! A job: one request in execution, as a state machine without I/O.
//!
//! Inputs are the methods: [`Job::run`], [`Job::complete`], [`Job::stop`]. What is to happen next is what they return,
//! together with the calls that [`Job::take_starts`] hands out. Times are given, never taken.

mod events;
mod start;

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use smallvec::SmallVec;
use zerver_trace::{
    Answer, Class, Decision, Event, Name, Outcome, QueueReason, RequestId, SharedValue, Thread,
};

use self::events::Events;
pub use self::events::MAX_EVENTS;
pub use self::start::Start;
use crate::effect::{Calls, Machine, Progress};
use crate::given::Given;
use crate::panics::{self, Place};
use crate::{Decided, Failure, Flow, Frame, Now, Performed, Random, Request, Response, Writes};

/// A request that has arrived.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The request.
    pub request: Arc<Request>,
    /// Its id.
    pub id: RequestId,
    /// The wall clock when its head had arrived, in nanoseconds since the Unix epoch.
    pub unix_ns: u64,
    /// What its randomness is derived from.
    pub seed: u64,
}

/// What is to happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A step can run: call [`Job::run`].
    Run,
    /// The effects it asks for have more to do before it waits for them: call [`Job::advance`], after a look at the clock
    /// and at who else is to run.
    Advance,
    /// Effects are in flight: start what [`Job::take_starts`] hands out, and call [`Job::complete`] for each.
    Wait,
    /// It has ended: call [`Job::finish`].
    Ended,
}

/// Why a job is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The client went away.
    Gone,
    /// The deadline has passed.
    Deadline,
}

/// What a job leaves behind.
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// The answer; none if there is nobody to send it to.
    pub response: Option<Response>,
    /// What happened, in order.
    pub events: Vec<Event<SharedValue>>,
    /// How many events were left out.
    pub events_dropped: u32,
}

/// One request in execution.
pub struct Job {
    flow: Arc<Flow>,
    given: Given,
    slots: SmallVec<[Option<SharedValue>; 8]>,
    /// The step that runs next, or that waits.
    at: u16,
    /// What it waits for.
    plan: Option<Box<Machine<Writes>>>,
    progress: Option<SharedValue>,
    next_call: u32,
    starts: SmallVec<[Start; 2]>,
    /// Since when the next step could run.
    ready_ns: u64,
    ended: Option<(Outcome, Option<Response>)>,
    events: Events,
}

impl Job {
    /// A job whose body had been read at `received_ns`. All times are nanoseconds since its head had arrived.
    pub fn new(flow: Arc<Flow>, arrival: Arrival, received_ns: u64) -> Self {
        let mut events = Vec::with_capacity(flow.room_for_events());
        events.push(Event::BodyReceived { at_ns: received_ns });
        let events = Events { kept: Some(events), dropped: 0 };
        Self { events, ..Self::unrecorded(flow, arrival, received_ns) }
    }

    /// The same of which nothing is recorded: it leaves no events.
    pub fn unrecorded(flow: Arc<Flow>, arrival: Arrival, received_ns: u64) -> Self {
        let mut slots = SmallVec::new();
        slots.resize_with(flow.slot_count(), || None);
        Self {
            given: Given {
                request: arrival.request,
                id: arrival.id,
                now: Now { unix_ns: arrival.unix_ns },
                random: Random { seed: arrival.seed },
            },
            slots,
            at: 0,
            plan: None,
            progress: None,
            next_call: 0,
            starts: SmallVec::new(),
            ready_ns: received_ns,
            ended: None,
            events: Events::default(),
            flow,
        }
    }

    /// A second job that stands where this one does and has the same inputs, so that what the two do next can be
    /// compared; it has no events yet. None while effects are in flight: what waits for them cannot be copied.
    pub fn twin(&self) -> Option<Self> {
        if self.plan.is_some() || self.ended.is_some() {
            return None;
        }
        Some(Self {
            flow: Arc::clone(&self.flow),
            given: self.given.clone(),
            slots: self.slots.clone(),
            at: self.at,
            plan: None,
            progress: self.progress.clone(),
            next_call: self.next_call,
            starts: SmallVec::new(),
            ready_ns: self.ready_ns,
            ended: None,
            events: Events { kept: Some(Vec::new()), dropped: 0 },
        })
    }

    /// Its flow.
    pub const fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    /// The request that it is.
    pub fn request(&self) -> &Request {
        &self.given.request
    }

    /// What has happened so far, in order; nothing where nothing is recorded.
    pub fn events(&self) -> &[Event<SharedValue>] {
        self.events.kept.as_deref().unwrap_or_default()
    }

    /// How it ended, and with what answer, if it has.
    pub fn ended(&self) -> Option<(&Outcome, Option<&Response>)> {
        self.ended.as_ref().map(|(outcome, response)| (outcome, response.as_ref()))
    }

    /// The position of the step that runs next, or that waits.
    pub const fn position(&self) -> u16 {
        self.at
    }

    /// Since when it could run.
    pub const fn ready_ns(&self) -> u64 {
        self.ready_ns
    }

    /// Runs one step, which begins at `at_ns`; `clock` is asked once, when it has returned.
    pub fn run(&mut self, at_ns: u64, clock: impl FnOnce() -> u64) -> Next {
        if self.ended.is_some() {
            return Next::Ended;
        }
        if self.plan.is_some() {
            return self.next();
        }
        let Some(step) = self.flow.step(self.at) else { return self.end_without_answer() };
        let progress = self.progress.take();
        let frame =
            Frame { given: &self.given, slots: &self.slots, reads: &step.reads, progress: progress.as_ref() };
        let decided = catch_unwind(AssertUnwindSafe(|| (step.run)(&frame)));
        let end_ns = clock();
        self.events.record(|| Event::StepRan {
            step: self.at,
            ready_ns: self.ready_ns,
            at_ns,
            cpu_ns: end_ns.saturating_sub(at_ns),
            decision: decided.as_ref().map_or(Decision::Panic, Decided::decision),
        });
        self.ready_ns = end_ns;
        match decided {
            Ok(Decided::Continue(writes)) => self.go_on(writes, end_ns),
            Ok(Decided::Need(plan)) => {
                self.plan = Some(Box::new(Machine::new(plan, self.next_call)));
                self.go_on_with(None, end_ns)
            }
            Ok(Decided::Yield(progress)) => {
                let step = self.at;
                self.events.record(|| Event::StepYielded { step, progress: Arc::clone(&progress) });
                self.progress = Some(progress);
                Next::Run
            }
            Ok(Decided::Done(response)) => self.end(Outcome::Done, Some(response)),
            Ok(Decided::Fail(failure)) => self.fail(&failure),
            Err(panic) => self.panicked(&*panic, end_ns),
        }
    }

    /// Parts of its request were read late: these [`Event::ReadDelayed`].
    pub fn read_late(&mut self, events: Vec<Event<SharedValue>>) {
        for event in events {
            self.events.record(|| event);
        }
    }

    /// It was given another class, and why.
    pub fn moved(&mut self, at_ns: u64, from: Class, to: Class, reason: impl Into<Name>) {
        self.events.record(|| Event::Reclassified { at_ns, from, to, reason: reason.into() });
    }

    /// Another thread than that of its connection has taken it.
    pub fn carried(&mut self, at_ns: u64, to: Thread) {
        self.events.record(|| Event::Migrated { at_ns, to });
    }

    /// The step that ran last took longer than a turn of its class may.
    pub fn overran(&mut self, step: u16, at_ns: u64, quantum_ns: u64) {
        self.events.record(|| Event::QuantumExceeded { step, at_ns, quantum_ns });
    }

    /// The value of a slot, if it has one.
    pub fn slot(&self, slot: u16) -> Option<&SharedValue> {
        self.slots.get(usize::from(slot))?.as_ref()
    }

    /// Gives a slot another value from here on, for whoever asks what a flow would do then. Nothing records it; the
    /// value is one that [`Flow::decode_slot`] made.
    pub fn override_slot(&mut self, slot: u16, value: SharedValue) {
        if let Some(held) = self.slots.get_mut(usize::from(slot)) {
            *held = Some(value);
        }
    }

    /// The calls to start, each once.
    pub fn take_starts(&mut self) -> SmallVec<[Start; 2]> {
        mem::take(&mut self.starts)
    }

    /// The same, after those that are there.
    pub fn take_starts_to(&mut self, starts: &mut SmallVec<[Start; 2]>) {
        match starts.is_empty() {
            true => mem::swap(starts, &mut self.starts),
            false => starts.append(&mut self.starts),
        }
    }

    /// Whether a call is in flight, and what asked for it still waits: if not, the job goes on as if there were no answer.
    pub fn waits_for(&self, number: u32) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.waits_for(number))
    }

    /// A call that it has handed out cannot begin yet.
    pub fn held(&mut self, number: u32, at_ns: u64, by: QueueReason) {
        self.events.record(|| Event::EffectQueued { call: number, at_ns, reason: by });
    }

    /// A call that was held begins.
    pub fn begun(&mut self, number: u32, at_ns: u64) {
        self.events.record(|| Event::EffectStarted { call: number, at_ns });
    }

    /// What a call waits for was ready before it is taken: this [`Event::CompletionDelayed`].
    pub fn late(&mut self, event: Event<SharedValue>) {
        self.events.record(|| event);
    }

    /// The same for each call in flight, of which `event` makes it.
    pub fn all_late(&mut self, event: impl Fn(u32) -> Event<SharedValue>) {
        for call in self.plan.iter().flat_map(|plan| plan.open_calls()) {
            self.events.record(|| event(call));
        }
    }

    /// Takes in how a call ended. A call that is not in flight is ignored: its job went on without it.
    pub fn complete(&mut self, number: u32, at_ns: u64, performed: Performed) -> Next {
        if !self.waits_for(number) {
            return self.next();
        }
        self.events.record(|| {
            let answer = match &performed {
                Ok(output) => Answer::Ok(Arc::clone(output)),
                Err(error) => Answer::Err(error.clone()),
            };
            Event::EffectCompleted { call: number, at_ns, answer }
        });
        self.go_on_with(Some((number, performed)), at_ns)
    }

    /// Goes on with what it asks for, after [`Next::Advance`].
    pub fn advance(&mut self, at_ns: u64) -> Next {
        self.go_on_with(None, at_ns)
    }

    /// Ends it from outside. What is in flight is cancelled: the driver must drop it.
    pub fn stop(&mut self, why: Stop, at_ns: u64) {
        if self.ended.is_some() {
            return;
        }
        for call in self.plan.iter().flat_map(|plan| plan.open_calls()) {
            self.events.record(|| Event::EffectCompleted { call, at_ns, answer: Answer::Cancelled });
        }
        let step = self.at;
        match why {
            Stop::Gone => self.end(Outcome::Gone { step }, None),
            Stop::Deadline => {
                let failure = Failure::new(zerver_trace::FailureKind::Timeout, "request");
                let response = self.render(&failure);
                self.end(Outcome::TimedOut { step }, Some(response))
            }
        };
    }

    /// Ends it before any of its steps has run: with this answer, for this reason.
    pub fn reject(&mut self, response: Response, reason: String) {
        if self.ended.is_none() {
            self.end(Outcome::Rejected { reason }, Some(response));
        }
    }

    /// What it leaves behind, once. A job that has not ended is taken for one whose client went away.
    pub fn finish(&mut self) -> Ended {
        if self.ended.is_none() {
            self.stop(Stop::Gone, self.ready_ns);
        }
        // Where nothing is recorded these are the last owners of their values, and a value's `Drop` may panic.
        let (slots, progress, plan) = (mem::take(&mut self.slots), self.progress.take(), self.plan.take());
        let _ = catch_unwind(AssertUnwindSafe(|| drop((slots, progress, plan))));
        let (outcome, response) = self.ended.take().unwrap_or((Outcome::Gone { step: self.at }, None));
        let events = self.events.kept.take().unwrap_or_default();
        self.flow.had_events(events.len());
        Ended { outcome, response, events, events_dropped: self.events.dropped }
    }

    fn next(&self) -> Next {
        match (&self.ended, &self.plan) {
            (Some(_), _) => Next::Ended,
            (None, Some(plan)) if plan.has_more() => Next::Advance,
            (None, Some(_)) => Next::Wait,
            (None, None) => Next::Run,
        }
    }

    /// Lets what it asks for go on, with the answer to one of the calls if there is one.
    fn go_on_with(&mut self, answer: Option<(u32, Performed)>, at_ns: u64) -> Next {
        let Some(plan) = &mut self.plan else { return self.next() };
        let first = self.starts.len();
        let mut calls = Calls {
            next: &mut self.next_call,
            starts: &mut self.starts,
            random: self.given.random,
            now_ns: at_ns,
        };
        let progress = catch_unwind(AssertUnwindSafe(|| {
            if let Some((number, performed)) = &answer {
                plan.answer(*number, performed, &mut calls);
            }
            plan.advance(&mut calls)
        }));
        for Start { number, call, attempt, .. } in &self.starts[first..] {
            self.events.record(|| Event::EffectRequested {
                call: *number,
                step: self.at,
                at_ns,
                kind: call.kind().into(),
                args: Arc::clone(call.data()),
                attempt: *attempt,
                timeout_ns: call
                    .time_limit()
                    .map(|limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)),
            });
        }
        match progress {
            Ok(Progress::More) => Next::Advance,
            Ok(Progress::Waits) if !plan.is_waiting() => {
                let failure = Failure::internal("effect").message("waits for nothing");
                self.fail(&failure)
            }
            Ok(Progress::Waits) => Next::Wait,
            Ok(Progress::Ended(Ok(writes))) => {
                self.plan = None;
                self.ready_ns = at_ns;
                self.go_on(writes, at_ns)
            }
            Ok(Progress::Ended(Err(failure))) => self.fail(&failure),
            Err(panic) => self.panicked(&*panic, at_ns),
        }
    }

    /// Writes slots and goes to the next step.
    fn go_on(&mut self, mut writes: Writes, at_ns: u64) -> Next {
        let at = self.at;
        let Some(step) = self.flow.step(at) else { return self.end_without_answer() };
        for (&slot, value) in std::iter::zip(&step.writes, &mut writes) {
            let Some(value) = value.take() else { continue };
            self.events.record(|| Event::SlotWritten { step: at, slot, at_ns, value: Arc::clone(&value) });
            self.slots[usize::from(slot)] = Some(value);
        }
        self.at += 1;
        if usize::from(self.at) < self.flow.step_count() { Next::Run } else { self.end_without_answer() }
    }

    fn end_without_answer(&mut self) -> Next {
        self.at = self.at.saturating_sub(1);
        self.fail(&Failure::internal("flow").message("its last step did not answer"))
    }

    fn fail(&mut self, failure: &Failure) -> Next {
        let response = self.render(failure);
        self.end(Outcome::Failed(failure.info(Some(self.at))), Some(response))
    }

    fn panicked(&mut self, panic: &(dyn Any + Send), at_ns: u64) -> Next {
        if let Some(Place { file, line, column }) = panics::last_place() {
            self.events.record(|| Event::StepPanicked { step: self.at, at_ns, file, line, column });
        }
        let text = panic.downcast_ref::<&str>().copied();
        let message = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let message = message.unwrap_or("a panic without a message").to_owned();
        let response = self.render(&Failure::internal("step"));
        self.end(Outcome::Panicked { step: self.at, message }, Some(response))
    }

    fn render(&self, failure: &Failure) -> Response {
        self.flow.render(failure, &self.given.request)
    }

    fn end(&mut self, outcome: Outcome, response: Option<Response>) -> Next {
        self.plan = None;
        self.starts.clear();
        self.ended = Some((outcome, response));
        Next::Ended
    }
}
