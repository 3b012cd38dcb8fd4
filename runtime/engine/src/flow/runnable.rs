//! Flows that are ready to run: made from their definitions when the program starts.

use std::any::TypeId;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zerver_trace::{FlowInfo, ReadInfo, SharedValue, SlotInfo, StepInfo, Value, ValueError, WriteInfo};

use super::alias::Alias;
use super::definition::{FlowDef, RenderFailure};
use super::slo::Slo;
use crate::failure::Failure;
use crate::message::{Request, Response};
use crate::slot::{Slot, SlotDesc, StepInput};
use crate::step::ErasedDecision;

/// A flow that is ready to run.
#[derive(Debug)]
pub struct Flow {
    info: Arc<FlowInfo>,
    /// Steps in order, and the recovery step last.
    steps: Vec<FlowStep>,
    recovery: Option<Recovery>,
    /// Decoder of each slot; `None` for a slot that no step writes.
    decoders: Vec<Option<Decode>>,
    deadline: Option<Duration>,
    is_uncompressed: bool,
    streamed_body: Option<u64>,
    number: u16,
    render: RenderFailure,
    aliases: &'static [Alias],
    slo: Slo,
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

/// The recovery step of a flow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recovery {
    /// Its position, after all other steps.
    pub(crate) step: u16,
    /// Position of the slot with the failure.
    pub(crate) failure: u16,
}

impl Flow {
    /// Makes a flow ready to run. `render` renders its failures unless the definition sets its own function.
    ///
    /// # Errors
    /// If two slot types have the same path, which the compile-time check cannot tell apart.
    pub fn new(def: &FlowDef, render: RenderFailure) -> Result<Self, FlowError> {
        let mut slots = SlotTable::default();
        let mut steps = Vec::new();
        let mut infos = Vec::new();
        for desc in def.chains.iter().flat_map(|chain| chain.steps).chain(&def.recovery) {
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
        let recovery = match def.recovery {
            Some(_) => Some(Recovery {
                step: (steps.len() - 1) as u16,
                failure: slots.position(&<Failure as Slot>::DESC)?,
            }),
            None => None,
        };
        let info = FlowInfo {
            name: def.name().to_owned(),
            method: def.method.to_owned(),
            pattern: def.pattern.to_owned(),
            class: def.class,
            slots: slots.infos,
            steps: infos,
        };
        Ok(Self {
            info: Arc::new(info),
            steps,
            recovery,
            decoders: slots.decoders,
            deadline: def.deadline,
            is_uncompressed: def.is_uncompressed,
            streamed_body: def.streamed_body,
            number: 0,
            render: def.render.unwrap_or(render),
            aliases: def.alias_list(),
            slo: def.objectives(),
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

    /// Returns the maximum length of the body of its requests, if an effect reads it.
    pub const fn streamed_body(&self) -> Option<u64> {
        self.streamed_body
    }

    /// Returns true if its responses are never compressed.
    pub const fn is_uncompressed(&self) -> bool {
        self.is_uncompressed
    }

    /// Returns the deadline of its requests, if it has its own.
    pub const fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Returns its aliases.
    pub const fn aliases(&self) -> &'static [Alias] {
        self.aliases
    }

    /// Returns its service level objectives.
    pub const fn slo(&self) -> Slo {
        self.slo
    }

    /// Decodes a value for the slot at this position, for [`Job::override_slot`](crate::Job::override_slot). Returns
    /// `None` if no step writes that slot.
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

    /// Returns the capacity to reserve for the events of a request: what earlier requests needed, and no more, because
    /// small blocks of memory are quick to allocate.
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

    /// Returns the number of its steps without the recovery step.
    pub(crate) fn step_count(&self) -> usize {
        self.steps.len() - usize::from(self.recovery.is_some())
    }

    pub(crate) const fn recovery(&self) -> Option<Recovery> {
        self.recovery
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
            is_indexed: desc.is_indexed,
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
