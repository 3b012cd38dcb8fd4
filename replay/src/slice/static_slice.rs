//! Narrows the inputs of a value by what the steps of its flow read and write. Needs no program and no run.
//!
//! A step can use only what it reads, and it passes on only what it writes. What no step on the way reads is ruled out.
//! Everything that such a step reads may influence the value.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use zerver_trace::{Decision, Event, FlowInfo, Trace};

use super::recorded_value::check_part;
use super::value_path::{ValuePath, ValueRoot};
use crate::replay_error::ReplayError;
use crate::value::label;

/// Inputs that a value may have come from, by the declarations of the steps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StaticSlice {
    /// Step that produced the value.
    pub step: String,
    /// Steps whose reads may flow into the value, in the order of the flow.
    pub steps: Vec<String>,
    /// Slots and parts of the request that may flow into it.
    pub may_flow_into: Vec<String>,
    /// Slots and parts of the request that earlier steps read: they may decide whether there is the value.
    pub may_decide: Vec<String>,
    /// Slots, built-in ones too, and effects that cannot have an influence.
    pub ruled_out: Vec<String>,
    /// Numbers and names of the effects whose answers may flow into it.
    pub effects: Vec<(u32, String)>,
}

/// Positions of the steps that may take part in a value.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// Step that produced the value.
    pub(super) producer: u16,
    /// Steps that ran until then.
    pub(super) ran: BTreeSet<u16>,
    /// Slots that these steps read.
    pub(super) read: BTreeSet<u16>,
    /// Steps and slots on a way of reads and writes to the value.
    pub(super) steps: BTreeSet<u16>,
    pub(super) slots: BTreeSet<u16>,
}

impl Reach {
    /// Returns the steps that ran until the value was produced, and what they read.
    ///
    /// # Errors
    /// Fails if the recording has no such value.
    pub(super) fn of(trace: &Trace, path: &ValuePath) -> Result<Self, ReplayError> {
        let producer = producer(trace, path)?;
        check_part(trace, path)?;
        let mut reach = Self { producer, ..Self::default() };
        for event in &trace.events {
            if let Event::StepRan { step, .. } = event
                && (*step <= producer
                    || matches!(path.root, ValueRoot::Status | ValueRoot::Header(_) | ValueRoot::Body))
            {
                reach.ran.insert(*step);
            }
        }
        reach.ran.insert(producer);
        let reads = |step: u16| {
            let step = trace.flow.steps.get(usize::from(step));
            step.into_iter().flat_map(|step| step.reads.iter().map(|read| read.slot))
        };
        reach.read = reach.ran.iter().flat_map(|step| reads(*step)).collect();
        let mut pending = vec![producer];
        // A failure is turned into a response by the recovery step, if there is one, or by the flow itself.
        while let Some(step) = pending.pop() {
            if !reach.steps.insert(step) {
                continue;
            }
            for slot in reads(step) {
                if reach.slots.insert(slot) {
                    pending.extend(reach.ran.iter().filter(|writer| writes(&trace.flow, **writer, slot)));
                    let is_failure = trace
                        .flow
                        .slots
                        .get(usize::from(slot))
                        .is_some_and(|of| of.path == FlowInfo::FAILURE_PATH);
                    if is_failure {
                        pending.extend(failing_step(trace));
                    }
                }
            }
        }
        Ok(reach)
    }
}

fn writes(flow: &FlowInfo, step: u16, slot: u16) -> bool {
    let step = flow.steps.get(usize::from(step));
    step.is_some_and(|step| step.writes.iter().any(|write| write.slot == slot))
}

/// Returns the step that failed.
fn failing_step(trace: &Trace) -> Option<u16> {
    let recovery = trace.flow.recovery_step();
    let ran = trace.events.iter().rev().filter_map(|event| match event {
        Event::StepRan { step, .. } => Some(*step),
        _ => None,
    });
    ran.into_iter().find(|step| recovery != Some(usize::from(*step)))
}

/// Returns the step that produced a value.
fn producer(trace: &Trace, path: &ValuePath) -> Result<u16, ReplayError> {
    let none =
        |what: String| ReplayError::new(what).hint("`zerver trace -v <id>` shows the values of a request");
    let found = match &path.root {
        ValueRoot::Status | ValueRoot::Header(_) | ValueRoot::Body => {
            let mut last = None;
            for event in &trace.events {
                if let Event::StepRan { step, decision, .. } = event {
                    last = Some(*step);
                    if *decision == Decision::Done {
                        break;
                    }
                }
            }
            last.ok_or_else(|| none("no step of this request ran".to_owned()))
        }
        ValueRoot::Slot(name) => {
            let slot = |at: u16| trace.flow.slots.get(usize::from(at));
            let is_named = |at: u16| slot(at).is_some_and(|slot| slot.name == *name || slot.path == *name);
            let written = trace.events.iter().rev().find_map(|event| match event {
                Event::SlotWritten { slot, step, .. } if is_named(*slot) => Some(*step),
                _ => None,
            });
            written.ok_or_else(|| {
                let written: BTreeSet<&str> = trace
                    .events
                    .iter()
                    .filter_map(|event| match event {
                        Event::SlotWritten { slot: at, .. } => slot(*at).map(|slot| slot.name.as_str()),
                        _ => None,
                    })
                    .collect();
                none(format!("no step of this request wrote slot {name}"))
                    .suggest(name, &written.into_iter().collect::<Vec<_>>())
            })
        }
        ValueRoot::Arguments(number) => {
            let requested = trace.events.iter().find_map(|event| match event {
                Event::EffectRequested { call, step, .. } if call == number => Some(*step),
                _ => None,
            });
            requested.ok_or_else(|| none(format!("this request has no effect {number}")))
        }
    };
    let step = found?;
    if trace.flow.steps.get(usize::from(step)).is_none() {
        return Err(none("the recording names a step that its flow does not have".to_owned()));
    }
    Ok(step)
}

/// Narrows the inputs of a value of a recorded request.
///
/// # Errors
/// Fails if the recording has no such value.
pub fn static_slice(trace: &Trace, path: &ValuePath) -> Result<StaticSlice, ReplayError> {
    let reach = Reach::of(trace, path)?;
    let flow = &trace.flow;
    let step = |at: u16| flow.steps.get(usize::from(at)).map_or("", |step| step.name.as_str()).to_owned();
    let slot_name = |at: &u16| flow.slots.get(usize::from(*at)).map(|slot| shown(&slot.name));
    let all: BTreeSet<u16> = (0..flow.slots.len()).filter_map(|at| u16::try_from(at).ok()).collect();
    let mut effects: BTreeMap<u32, (u16, String)> = BTreeMap::new();
    for event in &trace.events {
        if let Event::EffectRequested { call, step, kind, args, .. } = event {
            effects.insert(*call, (*step, label::effect(kind, args)));
        }
    }
    let before = |number: u32| match path.root {
        ValueRoot::Arguments(target) => number < target,
        _ => true,
    };
    let (inside, outside): (Vec<_>, Vec<_>) =
        effects.into_iter().partition(|(number, (step, _))| before(*number) && reach.steps.contains(step));
    let not_read = all.difference(&reach.read);
    Ok(StaticSlice {
        step: step(reach.producer),
        steps: reach.steps.iter().map(|at| step(*at)).collect(),
        may_flow_into: reach.slots.iter().filter_map(slot_name).collect(),
        may_decide: reach.read.difference(&reach.slots).filter_map(slot_name).collect(),
        ruled_out: not_read
            .filter_map(slot_name)
            .chain(
                outside
                    .iter()
                    .filter(|(_, (step, _))| !reach.ran.contains(step))
                    .map(|(number, _)| format!("effect.{number}")),
            )
            .collect(),
        effects: inside.into_iter().map(|(number, (_, label))| (number, label)).collect(),
    })
}

/// Returns the name of a slot as an input.
fn shown(slot: &str) -> String {
    match slot {
        "Request" => "request".to_owned(),
        "RequestId" => "request.id".to_owned(),
        "ArrivalTime" => "request.arrival_time".to_owned(),
        "Random" => "request.random".to_owned(),
        other => format!("slot.{other}"),
    }
}
