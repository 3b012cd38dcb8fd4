//! Input of one run of a step. It holds references to the values of the request, and gives access only to those that
//! the step reads.

use std::any::Any;
use std::fmt;

use zerver_trace::{SharedValue, TypedValue};

use super::builtins::Builtins;

/// Everything that one run of a step can see: the slots it reads and its own progress. It gives no access to other
/// slots.
pub struct StepInput<'a> {
    pub(crate) builtins: &'a Builtins,
    pub(crate) slots: &'a [Option<SharedValue>],
    /// For each read, its position in `slots`.
    pub(crate) reads: &'a [u16],
    pub(crate) progress: Option<&'a SharedValue>,
}

impl<'a> StepInput<'a> {
    /// Returns the value for the read at this position, if its slot is written.
    #[doc(hidden)]
    pub fn slot<S: Any>(&self, at: usize) -> Option<&'a S> {
        let value = self.slots.get(usize::from(*self.reads.get(at)?))?.as_ref()?;
        let any: &dyn Any = &**value;
        any.downcast_ref::<TypedValue<S>>().map(|value| &value.0)
    }

    /// Returns the progress with which the step last yielded.
    #[doc(hidden)]
    pub fn progress<P: Any + Clone>(&self) -> Option<P> {
        let any: &dyn Any = &**self.progress?;
        any.downcast_ref::<TypedValue<P>>().map(|value| value.0.clone())
    }
}

impl fmt::Debug for StepInput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepInput").field("reads", &self.reads).finish_non_exhaustive()
    }
}
