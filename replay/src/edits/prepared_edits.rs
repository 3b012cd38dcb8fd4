//! Edits that fit a flow, ready to be applied during a run.

use std::collections::BTreeMap;

use zerver_engine::{Call, CallResult, Flow};
use zerver_trace::secret::Rule;
use zerver_trace::{EffectError, FlowInfo, SharedValue, Value};

use crate::edits::answer_edit::AnswerEdit;
use crate::edits::edit_set::Edits;
use crate::edits::faults::{Fault, FaultKind};
use crate::edits::json_forms::GivenValue;
use crate::edits::slot_edit::SlotEdit;
use crate::replay_error::ReplayError;
use crate::report::{AppliedEdit, ReportedValue};
use crate::run::call_names::CallNames;
use crate::value::path;

/// Edits that fit a flow.
#[derive(Default)]
pub(crate) struct PreparedEdits {
    slots: Vec<PreparedSlot>,
    answers: Vec<PreparedAnswer>,
    faults: Vec<PreparedFault>,
    marked: Option<MarkedInputs>,
    rule: Rule,
}

/// Inputs of a run that shows where a value comes from. Its calls are answered even if their arguments have changed.
#[derive(Default)]
pub(crate) struct MarkedInputs {
    /// Slots, each with the first step that sees the value.
    pub(crate) slots: Vec<(u16, u16, SharedValue)>,
    /// Answers, by the number of the recorded call.
    pub(crate) answers: BTreeMap<u32, Result<Value, EffectError>>,
    /// True if a call gets the answer of the call that was recorded at its position, whatever its arguments; false if it
    /// gets that of a call with the same arguments, if there is one.
    pub(crate) is_positional: bool,
}

struct PreparedFault {
    fault: Fault,
    is_used: bool,
}

struct PreparedSlot {
    edit: SlotEdit,
    slot: u16,
    /// Index of the first step that sees the value.
    at: u16,
    given: GivenValue,
    is_applied: bool,
}

struct PreparedAnswer {
    /// Label of the effect, or number of the call.
    effect: String,
    json: String,
    given: GivenValue,
    is_used: bool,
}

impl PreparedEdits {
    pub(crate) fn new(edits: &Edits, flow: &Flow, rule: Rule) -> Result<Self, ReplayError> {
        let at = edits.at.as_deref().map(|step| position_of(step, flow.info())).transpose()?;
        if at.is_some() && edits.slots.is_empty() {
            return Err(ReplayError::new("--at has no effect without --set").hint("add --set Slot=JSON"));
        }
        let slots = edits.slots.iter().map(|edit| PreparedSlot::new(edit, at, flow));
        let answers = edits.answers.iter().map(PreparedAnswer::new);
        let faults = edits.faults.iter().map(|fault| PreparedFault { fault: fault.clone(), is_used: false });
        Ok(Self {
            slots: slots.collect::<Result<_, _>>()?,
            answers: answers.collect::<Result<_, _>>()?,
            faults: faults.collect(),
            marked: None,
            rule,
        })
    }

    /// Creates the edits of a run with marked inputs.
    pub(crate) fn marked(marked: MarkedInputs, rule: Rule) -> Self {
        Self { marked: Some(marked), rule, ..Self::default() }
    }

    /// Returns the marked inputs of the run.
    pub(crate) const fn marked_inputs(&self) -> Option<&MarkedInputs> {
        self.marked.as_ref()
    }

    /// Returns the marked answer of a recorded call, if there is one.
    pub(crate) fn marked_answer(&self, number: u32, call: &Call) -> Option<Result<CallResult, ReplayError>> {
        Some(match self.marked.as_ref()?.answers.get(&number)? {
            Ok(output) => match call.decode_output(output) {
                Ok(output) => Ok(Ok(output)),
                Err(error) => Err(ReplayError::new(error.message)),
            },
            Err(error) => Ok(Err(error.clone())),
        })
    }

    /// Applies the slot edits that the step at index `at` is the first to see.
    pub(crate) fn edit_slots(
        &mut self,
        at: u16,
        flow: &Flow,
        job: &mut zerver_engine::Job,
        applied: &mut Vec<AppliedEdit>,
    ) -> Result<(), ReplayError> {
        for (slot, _, value) in self.marked.iter().flat_map(|of| &of.slots).filter(|(_, step, _)| *step == at)
        {
            job.override_slot(*slot, value.clone());
        }
        for slot in self.slots.iter_mut().filter(|slot| slot.at == at && !slot.is_applied) {
            slot.is_applied = true;
            let (datum, from, to) = slot.datum(flow, job.slot(slot.slot))?;
            job.override_slot(slot.slot, datum);
            let step = flow.info().steps[usize::from(at)].name.clone();
            let what = slot.edit.what();
            let secret =
                flow.info().slots[usize::from(slot.slot)].is_secret || self.rule.is_under(&slot.edit.path);
            let side =
                |value: Value| if secret { ReportedValue::Secret } else { ReportedValue::Value(value) };
            applied.push(AppliedEdit {
                target: what,
                step,
                from: from.map_or(ReportedValue::Absent, side),
                to: side(to),
            });
        }
        Ok(())
    }

    /// Returns the edited answer of a call, if there is one.
    pub(crate) fn answer(
        &mut self,
        names: &CallNames<'_>,
        call: &Call,
        applied: &mut Vec<AppliedEdit>,
    ) -> Option<Result<CallResult, ReplayError>> {
        let said = self.answers.iter_mut().find(|said| !said.is_used && names.has(&said.effect))?;
        said.is_used = true;
        let label = names.label();
        Some(match said.given.make(|value| Ok((call.decode_output(value)?, value.clone()))) {
            Ok((output, value)) => {
                let to = ReportedValue::Value(value);
                applied.push(AppliedEdit {
                    target: format!("answer to {label}"),
                    step: String::new(),
                    from: ReportedValue::Absent,
                    to,
                });
                Ok(Ok(output))
            }
            Err::<_, EffectError>(error) => {
                Err(ReplayError::new(format!("{} is not an output of {label}", said.json))
                    .because(error.message)
                    .hint("`zerver trace --json` prints the recorded output"))
            }
        })
    }

    /// Returns the fault of a call, if there is one.
    pub(crate) fn fault(
        &mut self,
        names: &CallNames<'_>,
        took_ns: Option<u64>,
        applied: &mut Vec<AppliedEdit>,
    ) -> Option<FaultKind> {
        let found = self.faults.iter_mut().find(|known| names.has(&known.fault.effect))?;
        if !found.is_used {
            found.is_used = true;
            let words = |ns| ReportedValue::Text(FaultKind::Latency { ns }.words());
            applied.push(AppliedEdit {
                target: names.label().to_owned(),
                step: String::new(),
                from: took_ns.map_or(ReportedValue::Absent, words),
                to: ReportedValue::Text(found.fault.kind.words()),
            });
        }
        Some(found.fault.kind.clone())
    }

    /// Returns the effects with faults or answers that no step requested.
    pub(crate) fn unused_effects(&self) -> impl Iterator<Item = &str> {
        let faults =
            self.faults.iter().filter(|fault| !fault.is_used).map(|fault| fault.fault.effect.as_str());
        let answers = self.answers.iter().filter(|said| !said.is_used).map(|said| said.effect.as_str());
        answers.chain(faults)
    }

    /// Returns a note for each slot edit that was never applied.
    pub(crate) fn unreached<'p>(&'p self, flow: &'p FlowInfo) -> impl Iterator<Item = String> + 'p {
        self.slots.iter().filter(|slot| !slot.is_applied).map(|slot| {
            match flow.steps.get(usize::from(slot.at)) {
                Some(step) => {
                    format!("{} was not set: the flow ended before {}", slot.edit.what(), step.name)
                }
                None => format!("{} was not set: no step follows the one that writes it", slot.edit.what()),
            }
        })
    }
}

impl PreparedSlot {
    fn new(edit: &SlotEdit, at: Option<u16>, flow: &Flow) -> Result<Self, ReplayError> {
        let info = flow.info();
        let written =
            |slot: u16| info.steps.iter().position(|step| step.writes.iter().any(|write| write.slot == slot));
        let found = info.slots.iter().position(|slot| slot.name == edit.slot || slot.path == edit.slot);
        let Some((slot, writer)) = found.and_then(|at| Some((at as u16, written(at as u16)?))) else {
            return Err(no_slot(&edit.slot, info, found.is_some()));
        };
        let at = at.unwrap_or((writer + 1) as u16);
        if usize::from(at) <= writer {
            let (step, writer) = (&info.steps[usize::from(at)].name, &info.steps[writer].name);
            let why = match step == writer {
                true => format!("{step} itself writes {}", edit.slot),
                false => format!("{step} runs before {writer}, which writes {}", edit.slot),
            };
            return Err(ReplayError::new(why).hint(format!("name a step after {writer} with --at")));
        }
        let given = GivenValue::read(&edit.json).map_err(|error| wrong(edit, &error))?;
        let prepared = Self { edit: edit.clone(), slot, at, given, is_applied: false };
        if edit.path.is_empty() {
            prepared.given.make(|value| prepared.decode(flow, value))?;
        }
        Ok(prepared)
    }

    fn decode(&self, flow: &Flow, value: &Value) -> Result<SharedValue, ReplayError> {
        match flow.decode_slot(self.slot, value) {
            Some(Ok(datum)) => Ok(datum),
            Some(Err(error)) => Err(wrong(&self.edit, &error.to_string())),
            None => Err(no_slot(&self.edit.slot, flow.info(), true)),
        }
    }

    /// Returns the edited value as a slot value, the value before, and the value after.
    fn datum(
        &self,
        flow: &Flow,
        held: Option<&SharedValue>,
    ) -> Result<(SharedValue, Option<Value>, Value), ReplayError> {
        let held = held.map(|datum| Value::from_recordable(&**datum)).transpose();
        let held = held.map_err(|error| wrong(&self.edit, &error.to_string()))?;
        if self.edit.path.is_empty() {
            let (datum, value) = self.given.make(|value| Ok((self.decode(flow, value)?, value.clone())))?;
            return Ok((datum, held, value));
        }
        let Some(held) = held else {
            return Err(wrong(&self.edit, "no step has written the slot, so there is no value to change")
                .hint(format!("set the whole slot: --set {}=JSON", self.edit.slot)));
        };
        self.given.make(|value| {
            let (edited, before) =
                path::replaced(&held, &self.edit.path, value).map_err(|none| self.no_place(&none))?;
            let edited = edited.map_err(|error| wrong(&self.edit, &error.to_string()))?;
            Ok((self.decode(flow, &edited)?, Some(before), value.clone()))
        })
    }

    fn no_place(&self, none: &path::NoSuchPlace) -> ReplayError {
        let error = ReplayError::new(format!("{} has no part {:?}", self.edit.slot, none.part));
        match (&none.nearest, none.there.as_slice()) {
            (Some(nearest), _) => error.hint(format!("did you mean {nearest}?")),
            (None, []) => error.hint("the value has no parts"),
            (None, there) => error.hint(format!("available: {}", there.join(", "))),
        }
    }
}

impl PreparedAnswer {
    fn new(edit: &AnswerEdit) -> Result<Self, ReplayError> {
        let AnswerEdit { effect, json } = edit.clone();
        let given = GivenValue::read(&json).map_err(ReplayError::new)?;
        Ok(Self { effect, json, given, is_used: false })
    }
}

fn wrong(edit: &SlotEdit, why: &str) -> ReplayError {
    ReplayError::new(format!("{} cannot be set to {}", edit.what(), edit.json)).because(why)
}

fn no_slot(name: &str, info: &FlowInfo, is_read: bool) -> ReplayError {
    let error = ReplayError::new(format!("no step of {} writes slot {name}", info.name));
    if is_read || ["Request", "Now", "Random", "RequestId"].contains(&name) {
        return error.hint("edit the request itself with --request-header or --request-body");
    }
    let written = |at: usize| {
        info.steps.iter().any(|step| step.writes.iter().any(|write| usize::from(write.slot) == at))
    };
    let slots = info.slots.iter().enumerate().filter(|(at, _)| written(*at));
    let names: Vec<&str> = slots.map(|(_, slot)| slot.name.as_str()).collect();
    error.suggest(name, &names)
}

fn position_of(step: &str, info: &FlowInfo) -> Result<u16, ReplayError> {
    let names: Vec<&str> = info.steps.iter().map(|step| step.name.as_str()).collect();
    match names.iter().position(|name| *name == step) {
        Some(at) => Ok(at as u16),
        None => Err(ReplayError::new(format!("{} has no step {step}", info.name)).suggest(step, &names)),
    }
}
