//! Flows: the definition that `flow!` makes, and the flow that is made ready from it when the program starts.

use std::any::TypeId;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zerver_trace::{
    Class, FlowInfo, ReadInfo, SharedValue, SlotInfo, StepInfo, Value, ValueError, WriteInfo,
};

use crate::{ErasedDecision, Failure, Request, Response, SlotDesc, StepDesc, StepInput};

/// A reusable list of steps; [`chain!`](crate::chain) makes one.
///
/// ```
/// use zerver_engine::{Chain, Failure, Request, Response, chain, flow, slot, step};
///
/// #[slot(secret)]
/// struct Token(String);
///
/// #[step]
/// fn parse_token(request: &Request) -> Result<Token, Failure> {
///     request.bearer().map(|token| Token(token.to_owned())).ok_or_else(|| Failure::unauthorized("session"))
/// }
///
/// #[step]
/// fn render(_token: &Token) -> Response {
///     Response::no_content()
/// }
///
/// const AUTH: Chain = chain![parse_token];
///
/// let flow = flow!("account", GET "/account", before: AUTH, steps: [render]);
/// assert_eq!(flow.name(), "account");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Chain {
    pub(crate) steps: &'static [StepDesc],
}

impl Chain {
    /// Creates a chain of these steps.
    pub const fn new(steps: &'static [StepDesc]) -> Self {
        Self { steps }
    }
}

/// Definition of a flow: a route and the steps that serve it. [`flow!`](crate::flow) makes one.
#[derive(Debug, Clone, Copy)]
pub struct FlowDef {
    name: &'static str,
    method: &'static str,
    pattern: &'static str,
    chains: &'static [Chain],
    unwritten: &'static [SlotDesc],
    class: Class,
    deadline: Option<Duration>,
    render: Option<RenderFailure>,
    /// Unused entries are empty.
    secret_params: [&'static str; MAX_SECRET_PARAMS],
}

/// Maximum number of secret parameters of a flow.
const MAX_SECRET_PARAMS: usize = 8;

impl FlowDef {
    /// Creates a flow of these chains, one after another. It does not check their order.
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

    /// Returns the name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Checks the order of the steps.
    ///
    /// # Panics
    /// If a step reads a slot that no earlier step writes, and the like. In a constant, this is a compile error.
    #[track_caller]
    pub const fn check_order(&self) {
        crate::step_order::check(self.name, self.pattern, self.chains, self.unwritten);
    }

    /// Declares slots that its steps read as an `Option`, and that none of its steps writes on purpose.
    #[must_use]
    pub const fn unwritten(mut self, slots: &'static [SlotDesc]) -> Self {
        self.unwritten = slots;
        self
    }

    /// Sets the class of its requests.
    #[must_use]
    pub const fn class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// Sets the deadline of its requests, instead of that of the program.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the function that renders its failures as responses, instead of that of the program. These are failures of its
    /// steps, its effects and its deadline, and of requests to it that are rejected before a step runs.
    ///
    /// The function must be pure: a replay calls it again and compares the responses.
    #[must_use]
    pub const fn on_failure(mut self, render: RenderFailure) -> Self {
        self.render = Some(render);
        self
    }

    /// Marks the path or query parameter of this name as a secret: its value is sealed in recordings, and masked wherever
    /// it is shown.
    ///
    /// # Panics
    /// If the flow has more than eight secret parameters.
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

    /// Returns the parameters that are marked as secrets.
    pub fn secret_params(&self) -> impl Iterator<Item = &'static str> {
        self.secret_params.into_iter().filter(|name| !name.is_empty())
    }
}

/// Renders a failure of a request as its response. Must be pure.
pub type RenderFailure = fn(&Failure, &Request) -> Response;

/// A flow that is ready to run.
#[derive(Debug)]
pub struct Flow {
    info: Arc<FlowInfo>,
    steps: Vec<FlowStep>,
    /// Decoder of each slot; `None` for a slot that no step writes.
    decoders: Vec<Option<Decode>>,
    deadline: Option<Duration>,
    number: u16,
    render: RenderFailure,
    /// Largest number of events that one of its requests had, up to a limit.
    most_events: AtomicUsize,
}

type Decode = fn(&Value) -> Result<SharedValue, ValueError>;

/// A step of a flow that is ready to run.
#[derive(Debug)]
pub(crate) struct FlowStep {
    pub(crate) run: fn(&StepInput<'_>) -> ErasedDecision,
    /// Position of the slot of each read.
    pub(crate) reads: Vec<u16>,
    /// Position of the slot of each write.
    pub(crate) writes: Vec<u16>,
}

impl Flow {
    /// Makes a flow ready to run. `render` renders its failures unless the definition sets a function of its own.
    ///
    /// # Errors
    /// If two slot types have the same path, which the compile-time check cannot tell apart.
    pub fn new(def: &FlowDef, render: RenderFailure) -> Result<Self, FlowError> {
        let mut slots = SlotTable::default();
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
                    .map(|(&slot, read)| ReadInfo { slot, is_optional: read.is_optional })
                    .collect(),
                writes: std::iter::zip(&writes, desc.writes)
                    .map(|(&slot, write)| WriteInfo { slot, is_optional: write.is_optional })
                    .collect(),
            });
            steps.push(FlowStep { run: desc.run, reads, writes });
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

    /// Sets the number by which the scheduler knows it. The default is 0.
    #[must_use]
    pub const fn with_number(mut self, number: u16) -> Self {
        self.number = number;
        self
    }

    /// Returns the number by which the scheduler knows it.
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// Returns the description that is recorded with its traces.
    pub const fn info(&self) -> &Arc<FlowInfo> {
        &self.info
    }

    /// Renders a failure of one of its requests. If the rendering function panics, the default rendering is used.
    pub fn render(&self, failure: &Failure, request: &Request) -> Response {
        catch_unwind(AssertUnwindSafe(|| (self.render)(failure, request)))
            .unwrap_or_else(|_| failure.to_response())
    }

    /// Returns the deadline of its requests, if it has its own.
    pub const fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Decodes a value for the slot at this position, for [`Job::override_slot`](crate::Job::override_slot). Returns `None`
    /// if no step writes that slot.
    ///
    /// # Errors
    /// If the value does not fit the type of the slot.
    pub fn decode_slot(&self, slot: u16, value: &Value) -> Option<Result<SharedValue, ValueError>> {
        let decode = self.decoders.get(usize::from(slot)).copied().flatten()?;
        Some(decode(value))
    }

    pub(crate) fn step(&self, at: u16) -> Option<&FlowStep> {
        self.steps.get(usize::from(at))
    }

    /// Returns the capacity to reserve for the events of a request: what earlier requests needed, and no more, because small
    /// blocks of memory are quick to allocate.
    pub(crate) fn event_capacity(&self) -> usize {
        self.most_events.load(Ordering::Relaxed)
    }

    /// Records how many events a request had.
    pub(crate) fn record_event_count(&self, events: usize) {
        const MAX_CAPACITY: usize = 64;
        let events = events.min(MAX_CAPACITY);
        if events > self.event_capacity() {
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

/// Slots of a flow, in the order in which its steps name them.
#[derive(Default)]
struct SlotTable {
    infos: Vec<SlotInfo>,
    types: Vec<TypeId>,
    decoders: Vec<Option<Decode>>,
}

impl SlotTable {
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
            is_secret: desc.is_secret,
        });
        Ok((self.infos.len() - 1) as u16)
    }
}

/// Error of [`Flow::new`]: two slot types have the same path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowError {
    path: &'static str,
}

impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "two slot types have the same path {}; move one of them to another module", self.path)
    }
}

impl std::error::Error for FlowError {}
