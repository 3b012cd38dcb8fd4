//! What is to be different this time.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use zerver_engine::{Call, CallResult, Flow};
use zerver_trace::secret::Rule;
use zerver_trace::{EffectError, FlowInfo, SharedValue, Value};

use super::faults::{Fault, Wrong};
use super::form::Given;
use super::names::Names;
use super::report::{Applied, Refusal, Seen};
use super::{nearest, path};

/// What is to be different this time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Edits {
    /// Slots, in whole or in part.
    pub slots: Vec<SlotEdit>,
    /// The step that sees the edited slots first; the one after the step that writes them, where nothing is said.
    pub at: Option<String>,
    /// Headers of the request: name and value. They replace those of this name.
    pub headers: Vec<(String, String)>,
    /// The body of the request.
    pub body: Option<Vec<u8>>,
    /// What effects give.
    pub answers: Vec<AnswerEdit>,
    /// What goes wrong with effects.
    pub faults: Vec<Fault>,
    /// The kinds of effect that are performed for real where nothing else answers them.
    pub live: Vec<LiveKind>,
}

impl Edits {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
            && self.headers.is_empty()
            && self.body.is_none()
            && self.answers.is_empty()
            && self.faults.is_empty()
            && self.live.is_empty()
    }
}

/// `KIND` or `KIND:reads`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct LiveKind {
    /// The kind of effect.
    pub kind: String,
    /// Whether only those are performed that change nothing at the other end.
    pub reads_only: bool,
}

impl FromStr for LiveKind {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self, EditError> {
        let (kind, reads_only) = match text.split_once(':') {
            None => (text, false),
            Some((kind, "reads")) => (kind, true),
            Some((kind, other)) => {
                return Err(EditError(format!(
                    "{other:?} is nothing to perform; write {kind} or {kind}:reads"
                )));
            }
        };
        match kind.trim() {
            "" => Err(EditError(format!("{text:?} names no kind of effect; write KIND or KIND:reads"))),
            kind => Ok(Self { kind: kind.to_owned(), reads_only }),
        }
    }
}

/// `Slot.path=JSON`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SlotEdit {
    /// The slot's name.
    pub slot: String,
    /// The way into its value.
    pub path: Vec<String>,
    /// What is to be there.
    pub json: String,
}

/// `EFFECT=JSON`: another answer of an effect, once.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AnswerEdit {
    /// The effect as a timeline names it, or the number of one call.
    pub effect: String,
    /// What it gives.
    pub json: String,
}

impl FromStr for AnswerEdit {
    type Err = EditError;

    /// Splits at the first `=` that has JSON behind it: names of effects may have one in them, and so may texts.
    fn from_str(text: &str) -> Result<Self, EditError> {
        let is_json = |json: &str| serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok();
        let found = text.match_indices('=').find(|(at, _)| is_json(&text[at + 1..]));
        let Some((effect, json)) = found.map(|(at, _)| (text[..at].trim(), &text[at + 1..])) else {
            return Err(EditError(format!(
                "{text:?} answers nothing; write EFFECT=JSON, with the effect as `zerver trace` prints it: \
                 'kv get todo:1=\"Absent\"'"
            )));
        };
        if effect.is_empty() {
            return Err(EditError(format!("{text:?} names no effect; write EFFECT=JSON")));
        }
        Self::new(effect, json)
    }
}

impl AnswerEdit {
    /// Another answer of an effect.
    ///
    /// # Errors
    /// When `json` is not JSON, or stands for no value.
    pub fn new(effect: &str, json: &str) -> Result<Self, EditError> {
        Given::read(json).map_err(|error| {
            EditError(format!("{json:?} is no JSON: {error}; text wants quotes, as in \"text\""))
        })?;
        Ok(Self { effect: effect.to_owned(), json: json.to_owned() })
    }
}

/// Why a text is no edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditError(String);

impl EditError {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EditError {}

impl FromStr for SlotEdit {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self, EditError> {
        let Some((place, json)) = text.split_once('=') else {
            return Err(EditError(format!("{text:?} sets nothing; write Slot=JSON or Slot.path=JSON")));
        };
        let mut parts = place.trim().split('.').map(str::to_owned);
        let slot = parts.next().unwrap_or_default();
        let path: Vec<String> = parts.collect();
        if slot.is_empty() || path.iter().any(String::is_empty) {
            return Err(EditError(format!("{place:?} names no slot; write Slot=JSON or Slot.path=JSON")));
        }
        serde_json::from_str::<serde::de::IgnoredAny>(json).map_err(|error| {
            EditError(format!("{json:?} is no JSON: {error}; text wants quotes, as in '{place}=\"text\"'"))
        })?;
        Ok(Self { slot, path, json: json.to_owned() })
    }
}

impl SlotEdit {
    fn what(&self) -> String {
        let path = self.path.iter().flat_map(|part| [".", part.as_str()]);
        std::iter::once(self.slot.as_str()).chain(path).collect()
    }
}

/// Edits that fit the flow.
#[derive(Default)]
pub(super) struct Prepared {
    slots: Vec<PreparedSlot>,
    answers: Vec<PreparedAnswer>,
    faults: Vec<PreparedFault>,
    rule: Rule,
}

struct PreparedFault {
    fault: Fault,
    is_used: bool,
}

struct PreparedSlot {
    edit: SlotEdit,
    slot: u16,
    /// The step that sees it first.
    at: u16,
    given: Given,
    is_applied: bool,
}

struct PreparedAnswer {
    /// The kind and the summary, or the number of the call.
    effect: String,
    json: String,
    given: Given,
    is_used: bool,
}

impl Prepared {
    pub(super) fn new(edits: &Edits, flow: &Flow, rule: Rule) -> Result<Self, Refusal> {
        let at = edits.at.as_deref().map(|step| position_of(step, flow.info())).transpose()?;
        if at.is_some() && edits.slots.is_empty() {
            return Err(Refusal::new("--at says where a slot is to be set, and none is").hint("add --set"));
        }
        let slots = edits.slots.iter().map(|edit| PreparedSlot::new(edit, at, flow));
        let answers = edits.answers.iter().map(PreparedAnswer::new);
        let faults = edits.faults.iter().map(|fault| PreparedFault { fault: fault.clone(), is_used: false });
        Ok(Self {
            slots: slots.collect::<Result<_, _>>()?,
            answers: answers.collect::<Result<_, _>>()?,
            faults: faults.collect(),
            rule,
        })
    }

    /// Edits the slots that the step at this position is to see so: `slot` is what a slot holds, `put` takes what it
    /// is to hold.
    pub(super) fn edit_slots(
        &mut self,
        at: u16,
        flow: &Flow,
        job: &mut zerver_engine::Job,
        applied: &mut Vec<Applied>,
    ) -> Result<(), Refusal> {
        for slot in self.slots.iter_mut().filter(|slot| slot.at == at && !slot.is_applied) {
            slot.is_applied = true;
            let (datum, from, to) = slot.datum(flow, job.slot(slot.slot))?;
            job.override_slot(slot.slot, datum);
            let step = flow.info().steps[usize::from(at)].name.clone();
            let what = slot.edit.what();
            let secret =
                flow.info().slots[usize::from(slot.slot)].is_secret || self.rule.is_under(&slot.edit.path);
            let side = |value: Value| if secret { Seen::Secret } else { Seen::Value(value) };
            applied.push(Applied { what, step, from: from.map_or(Seen::Absent, side), to: side(to) });
        }
        Ok(())
    }

    /// What a call is to give, if something was said about it.
    pub(super) fn answer(
        &mut self,
        names: &Names<'_>,
        call: &Call,
        applied: &mut Vec<Applied>,
    ) -> Option<Result<CallResult, Refusal>> {
        let said = self.answers.iter_mut().find(|said| !said.is_used && names.has(&said.effect))?;
        said.is_used = true;
        let label = names.told();
        Some(match said.given.make(|value| Ok((call.decode_output(value)?, value.clone()))) {
            Ok((output, value)) => {
                let to = Seen::Value(value);
                applied.push(Applied {
                    what: format!("answer to {label}"),
                    step: String::new(),
                    from: Seen::Absent,
                    to,
                });
                Ok(Ok(output))
            }
            Err::<_, EffectError>(error) => Err(Refusal::new(format!("{} cannot answer {label}", said.json))
                .because(error.message)
                .hint("`zerver trace --json` shows what it gave")),
        })
    }

    /// What goes wrong with a call, if something does.
    pub(super) fn fault(
        &mut self,
        names: &Names<'_>,
        took_ns: Option<u64>,
        applied: &mut Vec<Applied>,
    ) -> Option<Wrong> {
        let found = self.faults.iter_mut().find(|known| names.has(&known.fault.effect))?;
        if !found.is_used {
            found.is_used = true;
            let words = |ns| Seen::Text(Wrong::Latency { ns }.words());
            applied.push(Applied {
                what: names.told().to_owned(),
                step: String::new(),
                from: took_ns.map_or(Seen::Absent, words),
                to: Seen::Text(found.fault.wrong.words()),
            });
        }
        Some(found.fault.wrong.clone())
    }

    /// The effects with faults or answers that nothing asked for.
    pub(super) fn unused_effects(&self) -> impl Iterator<Item = &str> {
        let faults =
            self.faults.iter().filter(|fault| !fault.is_used).map(|fault| fault.fault.effect.as_str());
        let answers = self.answers.iter().filter(|said| !said.is_used).map(|said| said.effect.as_str());
        answers.chain(faults)
    }

    /// The slot edits that the flow never came to.
    pub(super) fn unreached<'p>(&'p self, flow: &'p FlowInfo) -> impl Iterator<Item = String> + 'p {
        self.slots.iter().filter(|slot| !slot.is_applied).map(|slot| {
            let step = flow.steps.get(usize::from(slot.at)).map_or("its end", |step| step.name.as_str());
            format!("{} was not set: the flow ended before {step}", slot.edit.what())
        })
    }
}

impl PreparedSlot {
    fn new(edit: &SlotEdit, at: Option<u16>, flow: &Flow) -> Result<Self, Refusal> {
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
            let how =
                if step == writer { "itself".to_owned() } else { format!("comes before {writer}, which") };
            return Err(Refusal::new(format!("{step} {how} writes {}", edit.slot))
                .hint(format!("--at a step after {writer}")));
        }
        let given = Given::read(&edit.json).map_err(|error| wrong(edit, &error))?;
        let prepared = Self { edit: edit.clone(), slot, at, given, is_applied: false };
        if edit.path.is_empty() {
            prepared.given.make(|value| prepared.decode(flow, value))?;
        }
        Ok(prepared)
    }

    fn decode(&self, flow: &Flow, value: &Value) -> Result<SharedValue, Refusal> {
        match flow.decode_slot(self.slot, value) {
            Some(Ok(datum)) => Ok(datum),
            Some(Err(error)) => Err(wrong(&self.edit, &error.to_string())),
            None => Err(no_slot(&self.edit.slot, flow.info(), true)),
        }
    }

    /// The edited value, and what was there and is there now.
    fn datum(
        &self,
        flow: &Flow,
        held: Option<&SharedValue>,
    ) -> Result<(SharedValue, Option<Value>, Value), Refusal> {
        let held = held.map(|datum| Value::from_recordable(&**datum)).transpose();
        let held = held.map_err(|error| wrong(&self.edit, &error.to_string()))?;
        if self.edit.path.is_empty() {
            let (datum, value) = self.given.make(|value| Ok((self.decode(flow, value)?, value.clone())))?;
            return Ok((datum, held, value));
        }
        let Some(held) = held else {
            return Err(wrong(&self.edit, "no step has written it, so there is nothing to change in it")
                .hint(format!("set all of it: --set {}=JSON", self.edit.slot)));
        };
        self.given.make(|value| {
            let (edited, before) =
                path::replaced(&held, &self.edit.path, value).map_err(|none| self.no_place(&none))?;
            let edited = edited.map_err(|error| wrong(&self.edit, &error.to_string()))?;
            Ok((self.decode(flow, &edited)?, Some(before), value.clone()))
        })
    }

    fn no_place(&self, none: &path::NoSuchPlace) -> Refusal {
        let refusal = Refusal::new(format!("{} has no {:?} in it", self.edit.slot, none.part));
        match (&none.nearest, none.there.as_slice()) {
            (Some(nearest), _) => refusal.hint(format!("did you mean {nearest}?")),
            (None, []) => refusal.hint("there is nothing to go into"),
            (None, there) => refusal.hint(format!("there are {}", there.join(", "))),
        }
    }
}

impl PreparedAnswer {
    fn new(edit: &AnswerEdit) -> Result<Self, Refusal> {
        let AnswerEdit { effect, json } = edit.clone();
        let given = Given::read(&json).map_err(Refusal::new)?;
        Ok(Self { effect, json, given, is_used: false })
    }
}

fn wrong(edit: &SlotEdit, why: &str) -> Refusal {
    Refusal::new(format!("{} cannot be {}", edit.what(), edit.json)).because(why)
}

fn no_slot(name: &str, info: &FlowInfo, is_read: bool) -> Refusal {
    let refusal = Refusal::new(format!("no step of {} writes a slot {name}", info.name));
    if is_read || ["Request", "ArrivalTime", "Random", "RequestId"].contains(&name) {
        return refusal
            .hint("what every request has from the start is edited by --request-header, --request-body");
    }
    let written = |at: usize| {
        info.steps.iter().any(|step| step.writes.iter().any(|write| usize::from(write.slot) == at))
    };
    let slots = info.slots.iter().enumerate().filter(|(at, _)| written(*at));
    let names: Vec<&str> = slots.map(|(_, slot)| slot.name.as_str()).collect();
    suggest(refusal, name, &names)
}

fn position_of(step: &str, info: &FlowInfo) -> Result<u16, Refusal> {
    let names: Vec<&str> = info.steps.iter().map(|step| step.name.as_str()).collect();
    match names.iter().position(|name| *name == step) {
        Some(at) => Ok(at as u16),
        None => Err(suggest(Refusal::new(format!("{} has no step {step}", info.name)), step, &names)),
    }
}

pub(super) fn suggest(refusal: Refusal, given: &str, names: &[&str]) -> Refusal {
    match nearest(given, names.iter().copied()) {
        Some(name) => refusal.hint(format!("did you mean {name}?")),
        None if names.is_empty() => refusal,
        None => refusal.hint(format!("there are {}", names.join(", "))),
    }
}
