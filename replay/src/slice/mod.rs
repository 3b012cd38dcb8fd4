//! The backward slice of a value: which inputs of a request a part of its response, a slot, or the arguments of an effect
//! came from.
//!
//! `value_path` names the value. `static_slice` narrows its inputs by what the steps of the flow read and write.
//! `inputs` lists the inputs, split into `leaves`, and `alternatives` gives other values for each. `trial` runs the
//! request with one changed input and observes the value, `search` decides what the trials mean, `assembly` puts it together, and `report` is the
//! result.

mod alternatives;
mod assembly;
mod inputs;
mod json_spans;
mod leaves;
mod recorded_value;
mod report;
mod search;
mod static_slice;
mod trial;
mod value_path;

pub use inputs::recorded_inputs;
pub use report::{
    ChangedInput, EffectOnPath, InputInfluence, Relation, RuledOut, SlotOnPath, StepOnPath, Undecided,
    ValueSlice,
};
pub use search::SliceRequest;
pub use static_slice::{StaticSlice, static_slice};
pub use value_path::{ValuePath, ValueRoot};
