//! The result: the sources of a value, the way that it took, and what was ruled out. Everything in it is masked.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::report::{ReportedValue, SourceLocation};

/// Sources of a value.
#[derive(Debug, Clone, Default, PartialEq, Encode, Decode, Serialize)]
pub struct ValueSlice {
    /// The value as it was named.
    pub target: String,
    /// Value in a run of today's code with the recorded inputs.
    pub value: Option<ReportedValue>,
    /// Recorded value, if it differs.
    pub recorded_value: Option<ReportedValue>,
    /// Inputs from outside that have an influence: parts of the request, and of the answers of effects.
    pub sources: Vec<InputInfluence>,
    /// Slots that carry the value or decide about it, in the order of the flow.
    pub slots: Vec<SlotOnPath>,
    /// Effects whose answers have an influence, in order.
    pub effects: Vec<EffectOnPath>,
    /// Steps on the way from the sources to the value, in the order of the flow.
    pub steps: Vec<StepOnPath>,
    /// Inputs that have none.
    pub ruled_out: Vec<RuledOut>,
    /// Inputs of which nothing is known.
    pub undecided: Vec<Undecided>,
    /// Number of runs.
    pub runs: u32,
}

/// Relation of an input to the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// The value changes with the input while the same steps run.
    FlowsInto,
    /// The input decides which steps and effects run, and so whether there is this value.
    Decides,
    /// The input is in the arguments of an effect whose answer has an influence. The answer to other arguments is not
    /// known.
    Asks,
}

impl Relation {
    /// Returns the relation in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::FlowsInto => "flows into",
            Self::Decides => "decides",
            Self::Asks => "asks",
        }
    }
}

/// An input with an influence on the value.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Serialize)]
pub struct InputInfluence {
    /// Name of the input: `request.body.items.0.price`, `effect.2.output.rows.0.id`.
    pub input: String,
    /// Relation to the value.
    pub relation: Relation,
    /// The run that showed it.
    pub shown_by: ChangedInput,
    /// Slots that changed on the way, in the order of the flow.
    pub through_slots: Vec<String>,
    /// Numbers of the effects on the way, which were asked with other arguments.
    pub through_effects: Vec<u32>,
}

/// A run with a changed input.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Serialize)]
pub struct ChangedInput {
    /// The input as it was recorded.
    pub from: ReportedValue,
    /// The input in this run.
    pub to: ReportedValue,
    /// The value in this run; `null` if there was none.
    pub value: ReportedValue,
}

/// A slot on the way to the value.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Serialize)]
pub struct SlotOnPath {
    /// Part of the slot: `slot.Todo.title`.
    pub slot: String,
    /// Step that wrote it.
    pub written_by: String,
    /// Relation to the value.
    pub relation: Relation,
    /// The run that showed it.
    pub shown_by: ChangedInput,
}

/// An effect whose answer has an influence.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Serialize)]
pub struct EffectOnPath {
    /// Number of the call.
    pub call: u32,
    /// Effect as a timeline names it.
    pub effect: String,
    /// Step that requested it.
    pub step: String,
}

/// A step on the way to the value.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Serialize)]
pub struct StepOnPath {
    /// Name of the step.
    pub step: String,
    /// Location of its function.
    pub source: Option<SourceLocation>,
}

/// An input without influence.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct RuledOut {
    /// Name of the input. Parts that were changed together have one name: `effect.0.output.rows (120 parts)`.
    pub input: String,
    /// Number of changes that left the value as it is; 0 if no step that could have used the input ran before.
    pub tried: u32,
    /// Reason.
    pub reason: String,
}

/// An input of which nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Undecided {
    /// Name of the input.
    pub input: String,
    /// Reason.
    pub reason: String,
}
