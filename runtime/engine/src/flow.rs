//! Flows: what `flow!` makes, and what the program makes of that when it starts.

use std::any::TypeId;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zerver_trace::{
    Class, FlowInfo, ReadInfo, SharedValue, SlotInfo, StepInfo, Value, ValueError, WriteInfo,
};

use crate::{Failure, Request, Response, SlotDesc, StepDesc};

/// A reusable list of steps; `chain![..]` makes one.
#[derive(Clone, Copy)]
pub struct Chain {
    pub(crate) steps: &'static [StepDesc],
}

impl Chain {
    /// The chain of these steps.
    pub const fn new(steps: &'static [StepDesc]) -> Self {
        Self { steps }
    }
}

/// A flow as it stands in the source; `flow!` makes one.
#[derive(Clone, Copy)]
pub struct FlowDef {
    name: &'static str,
    method: &'static str,
    pattern: &'static str,
    chains: &'static [Chain],
    unwritten: &'static [SlotDesc],
    class: Class,
    deadline: Option<Duration>,
    render: Option<RenderFailure>,
    /// Empty where there is none.
    secret_params: [&'static str; MAX_SECRET_PARAMS],
}

/// A flow may have as many parameters that are marked as secrets.
const MAX_SECRET_PARAMS: usize = 8;

impl FlowDef {
    /// A flow of these chains, one after another.
    pub const fn new(
        name: &'static str,
        method: &'static str,
        pattern: &'static str,
        chains: &'static [Chain],
    ) -> Self {
        Self {
            name,
            method,
            pattern,
            chains,
            unwritten: &[],
            class: Class::Default,
            deadline: None,
            render: None,
            secret_params: [""; MAX_SECRET_PARAMS],
        }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Fails to evaluate, with a message, if the steps are in no possible order.
    #[track_caller]
    pub const fn check_order(&self) {
        crate::order::check(self.name, self.pattern, self.chains, self.unwritten);
    }

    /// Slots that steps of it read as an `Option`, and that none of its steps writes: on purpose.
    #[must_use]
    pub const fn unwritten(mut self, slots: &'static [SlotDesc]) -> Self {
        self.unwritten = slots;
        self
    }

    /// The class of its requests.
    #[must_use]
    pub const fn class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// How long its requests may take, instead of the program's own limit.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How its failures become answers, instead of the program's own way: those of its steps and effects, of its deadline,
    /// and of requests to it that are refused before a step runs. A pure function: a replay calls it again, and compares.
    #[must_use]
    pub const fn on_failure(mut self, render: RenderFailure) -> Self {
        self.render = Some(render);
        self
    }

    /// Says that a parameter of this name, of the path or of the query, is a secret: it is sealed in recordings, and masked
    /// wherever it is told.
    ///
    /// # Panics
    /// With more than eight of them.
    #[must_use]
    pub const fn secret_param(mut self, name: &'static str) -> Self {
        let mut at = 0;
        while at < MAX_SECRET_PARAMS && !self.secret_params[at].is_empty() {
            at += 1;
        }
        assert!(at < MAX_SECRET_PARAMS, "a flow has at most eight secret parameters");
        self.secret_params[at] = name;
        self
    }

    /// Its parameters that are marked as secrets.
    pub fn secret_params(&self) -> impl Iterator<Item = &'static str> {
        self.secret_params.into_iter().filter(|name| !name.is_empty())
    }
}

/// How failures become answers.
pub type RenderFailure = fn(&Failure, &Request) -> Response;

/// A flow that is ready to run.
pub struct Flow {
    info: Arc<FlowInfo>,
    steps: Vec<StepRun>,
    /// For each slot, what makes its type of a value; none for slots which no step writes.
    decoders: Vec<Option<Decode>>,
    deadline: Option<Duration>,
    number: u16,
    render: RenderFailure,
    /// How many events the longest of its requests had, within reason.
    most_events: AtomicUsize,
}

type Decode = fn(&Value) -> Result<SharedValue, ValueError>;

/// A step in its flow.
pub(crate) struct StepRun {
    pub(crate) run: fn(&crate::Frame<'_>) -> crate::Decided,
    /// For each read, the position of its slot.
    pub(crate) reads: Vec<u16>,
    /// For each write, the position of its slot.
    pub(crate) writes: Vec<u16>,
}

impl Flow {
    /// Makes a flow ready to run.
    ///
    /// # Errors
    /// When two slot types have the same path, which the check at compile time cannot tell apart.
    pub fn new(def: &FlowDef, render: RenderFailure) -> Result<Self, FlowError> {
        let mut slots = Slots::default();
        let mut steps = Vec::new();
        let mut infos = Vec::new();
        for desc in def.chains.iter().flat_map(|chain| chain.steps) {
            let reads =
                desc.reads.iter().map(|read| slots.position(&read.slot)).collect::<Result<Vec<_>, _>>()?;
            let writes =
                desc.writes.iter().map(|write| slots.position(&write.slot)).collect::<Result<Vec<_>, _>>()?;
            for (&slot, write) in std::iter::zip(&writes, desc.writes) {
                slots.decoders[usize::from(slot)] = Some(write.decode);
            }
            infos.push(StepInfo {
                name: desc.name.to_owned(),
                doc: desc.doc.trim().to_owned(),
                file: desc.file.to_owned(),
                line: desc.line,
                reads: std::iter::zip(&reads, desc.reads)
                    .map(|(&slot, read)| ReadInfo { slot, is_optional: read.optional })
                    .collect(),
                writes: std::iter::zip(&writes, desc.writes)
                    .map(|(&slot, write)| WriteInfo { slot, is_optional: write.optional })
                    .collect(),
            });
            steps.push(StepRun { run: desc.run, reads, writes });
        }
        let info = FlowInfo {
            name: def.name.to_owned(),
            method: def.method.to_owned(),
            pattern: def.pattern.to_owned(),
            class: def.class,
            slots: slots.infos,
            steps: infos,
        };
        Ok(Self {
            info: Arc::new(info),
            steps,
            decoders: slots.decoders,
            deadline: def.deadline,
            number: 0,
            render: def.render.unwrap_or(render),
            most_events: AtomicUsize::new(0),
        })
    }

    /// The same with a number by which a scheduler tells it from the other flows of its program; 0 if nothing is said.
    #[must_use]
    pub const fn numbered(mut self, number: u16) -> Self {
        self.number = number;
        self
    }

    /// The number by which a scheduler knows it.
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// What is recorded of it.
    pub const fn info(&self) -> &Arc<FlowInfo> {
        &self.info
    }

    /// The answer to a request of it that failed. Its rendering may panic as well as its steps.
    pub fn render(&self, failure: &Failure, request: &Request) -> Response {
        catch_unwind(AssertUnwindSafe(|| (self.render)(failure, request)))
            .unwrap_or_else(|_| failure.to_response())
    }

    /// How long its requests may take, if it says so.
    pub const fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// A value for the slot at this position, which a job takes in [`Job::override_slot`](crate::Job::override_slot);
    /// none if no step writes that slot.
    ///
    /// # Errors
    /// When the value has not the shape that the slot's type wants.
    pub fn decode_slot(&self, slot: u16, value: &Value) -> Option<Result<SharedValue, ValueError>> {
        let decode = self.decoders.get(usize::from(slot)).copied().flatten()?;
        Some(decode(value))
    }

    pub(crate) fn step(&self, at: u16) -> Option<&StepRun> {
        self.steps.get(usize::from(at))
    }

    /// Room for the events of a request: as many as there were, and no more, for a small block of memory is had at once.
    pub(crate) fn room_for_events(&self) -> usize {
        self.most_events.load(Ordering::Relaxed)
    }

    /// A request had so many events.
    pub(crate) fn had_events(&self, events: usize) {
        const WITHIN_REASON: usize = 64;
        let events = events.min(WITHIN_REASON);
        if events > self.room_for_events() {
            self.most_events.store(events, Ordering::Relaxed);
        }
    }

    pub(crate) fn slot_count(&self) -> usize {
        self.info.slots.len()
    }

    pub(crate) fn step_count(&self) -> usize {
        self.steps.len()
    }
}

/// The slots of a flow, in the order in which its steps name them.
#[derive(Default)]
struct Slots {
    infos: Vec<SlotInfo>,
    types: Vec<TypeId>,
    decoders: Vec<Option<Decode>>,
}

impl Slots {
    fn position(&mut self, desc: &SlotDesc) -> Result<u16, FlowError> {
        let type_id = (desc.type_id)();
        if let Some(at) = self.types.iter().position(|known| *known == type_id) {
            return Ok(at as u16);
        }
        if self.infos.iter().any(|info| info.path == desc.path) {
            return Err(FlowError { path: desc.path });
        }
        self.types.push(type_id);
        self.decoders.push(None);
        self.infos.push(SlotInfo {
            name: desc.name.to_owned(),
            path: desc.path.to_owned(),
            is_secret: desc.secret,
        });
        Ok((self.infos.len() - 1) as u16)
    }
}

/// Two slot types have the same path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowError {
    path: &'static str,
}

impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "two slot types are called {}; move one of them to a module of its own", self.path)
    }
}

impl std::error::Error for FlowError {}
