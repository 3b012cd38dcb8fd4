//! Steps: plain functions, and what `#[step]` tells about them.

use std::any::Any;

use zerver_trace::{SharedValue, TypedValue};

use crate::given::Given;
use crate::{Decided, Slot, SlotDesc, Write};

/// A step's description: implemented by `#[step]` for a type that has the name of the function.
pub trait Step {
    /// What is known of it when the program is compiled.
    const DESC: StepDesc;
}

/// What is known of a step when the program is compiled.
#[derive(Clone, Copy)]
pub struct StepDesc {
    /// The name of the function.
    pub name: &'static str,
    /// Its documentation comment.
    pub doc: &'static str,
    /// The source file.
    pub file: &'static str,
    /// The line of the function, from 1.
    pub line: u32,
    /// What it reads, in the order of its parameters.
    pub reads: &'static [Read],
    /// What it writes, in the order of its return type.
    pub writes: &'static [Write],
    /// Whether its type never lets it go on to the next step, so that a flow may end with it.
    pub ends: bool,
    /// Calls the function.
    pub run: fn(&Frame<'_>) -> Decided,
}

/// A slot that a step reads.
#[derive(Debug, Clone, Copy)]
pub struct Read {
    /// The slot.
    pub slot: SlotDesc,
    /// Whether the parameter is an `Option`.
    pub optional: bool,
}

/// What one step can see: just the slots it reads. There is no way from here to any other slot.
pub struct Frame<'a> {
    pub(crate) given: &'a Given,
    pub(crate) slots: &'a [Option<SharedValue>],
    /// For each read, its position in `slots`.
    pub(crate) reads: &'a [u16],
    pub(crate) progress: Option<&'a SharedValue>,
}

impl<'a> Frame<'a> {
    /// The value for the read at this position, if it has been written.
    #[doc(hidden)]
    pub fn slot<S: Slot>(&self, at: usize) -> Option<&'a S> {
        let datum = self.slots.get(usize::from(*self.reads.get(at)?))?.as_ref()?;
        let any: &dyn Any = &**datum;
        any.downcast_ref::<TypedValue<S>>().map(|held| &held.0)
    }

    /// The value for a read that the order check has shown to be written.
    #[doc(hidden)]
    pub fn read<S: Slot>(&self, at: usize) -> &'a S {
        match S::find(self, at) {
            Some(value) => value,
            None => panic!("slot {} was read before it was written, past the order check", S::DESC.name),
        }
    }

    /// The value for a read that may be unwritten.
    #[doc(hidden)]
    pub fn maybe<S: Slot>(&self, at: usize) -> Option<&'a S> {
        S::find(self, at)
    }

    /// What the step yielded the last time.
    #[doc(hidden)]
    pub fn progress<P: Any + Clone>(&self) -> Option<P> {
        let any: &dyn Any = &**self.progress?;
        any.downcast_ref::<TypedValue<P>>().map(|held| held.0.clone())
    }
}
