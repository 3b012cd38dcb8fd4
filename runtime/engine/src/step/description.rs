//! Steps: plain functions, described by `#[step]`. The job runs them; a step sees only the slots that it reads.

use super::decision::ErasedDecision;
use crate::input::InputDesc;
use crate::slot::{Slot, SlotDesc, StepInput, WriteDesc};

/// A step of a flow. [`#[step]`](macro@crate::step) implements it for a hidden type with the name of the function.
pub trait Step {
    /// Compile-time description.
    const DESC: StepDesc;
}

/// Compile-time description of a step.
#[derive(Debug, Clone, Copy)]
pub struct StepDesc {
    /// Name of the function.
    pub name: &'static str,
    /// Its documentation comment.
    pub doc: &'static str,
    /// Source file.
    pub file: &'static str,
    /// Line of the function, from 1.
    pub line: u32,
    /// Slots that it reads, in the order of its parameters.
    pub reads: &'static [ReadDesc],
    /// Slots that it writes, in the order of its return type.
    pub writes: &'static [WriteDesc],
    /// Parts of the request that it takes by value, in the order of its parameters, as far as they describe themselves.
    pub inputs: &'static [Option<InputDesc>],
    /// True if it never goes on to the next step, so that a flow may end with it.
    pub is_final: bool,
    /// True if it refuses requests that are not allowed, so that the steps after it are protected.
    pub protects: bool,
    /// Calls the function.
    pub run: fn(&StepInput<'_>) -> ErasedDecision,
}

/// Compile-time description of a read: a slot that a step reads.
#[derive(Debug, Clone, Copy)]
pub struct ReadDesc {
    /// The slot.
    pub slot: SlotDesc,
    /// True if the parameter is an `Option`, because the slot may be unwritten.
    pub is_optional: bool,
}

impl<'a> StepInput<'a> {
    /// Returns the value for a read whose slot is always written, as the order check has proved.
    #[doc(hidden)]
    pub fn read<S: Slot>(&self, at: usize) -> &'a S {
        match S::find(self, at) {
            Some(value) => value,
            None => {
                panic!("slot {} was read before it was written: the order check was bypassed", S::DESC.name)
            }
        }
    }

    /// Returns the value for a read whose slot may be unwritten.
    #[doc(hidden)]
    pub fn read_optional<S: Slot>(&self, at: usize) -> Option<&'a S> {
        S::find(self, at)
    }
}
