//! Slots: typed values of one request, written by one step and read by later ones.

mod builtin_slots;
mod builtins;
mod description;
mod output;
mod step_input;

pub(crate) use builtins::Builtins;
pub use builtins::{ArrivalTime, Random};
pub(crate) use description::FAILURE_PATH;
pub use description::{Slot, SlotDesc, WriteDesc};
pub use output::{Shared, SlotOutput, StepOutput, Writes};
pub use step_input::StepInput;
