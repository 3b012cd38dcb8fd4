//! Slot types and their compile-time descriptions. The order of reads and writes is checked in [`crate::flow`].

use std::any::{Any, TypeId};

use zerver_trace::{FlowInfo, SharedValue, Value, ValueError};

use super::step_input::StepInput;
use crate::shape::Shape;

/// Path of the built-in slot that only a recovery step can read.
pub(crate) const FAILURE_PATH: &str = FlowInfo::FAILURE_PATH;

#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a slot",
    label = "not a slot",
    note = "put `#[slot]` on its definition; wrap a type of another crate in a struct"
)]
/// A type whose value steps hand to later steps of the same request.
///
/// A request has at most one value of each slot type. Implement it with [`#[slot]`](macro@crate::slot).
///
/// ```
/// use zerver_engine::{Request, Response, slot, step};
///
/// #[slot]
/// struct Name(String);
///
/// #[step]
/// fn parse(request: &Request) -> Name {
///     Name(request.param_str("name").unwrap_or("world").to_owned())
/// }
///
/// #[step]
/// fn greet(name: &Name) -> Response {
///     Response::text(format!("hello, {}", name.0))
/// }
/// ```
pub trait Slot: Any + Send + Sync + Sized {
    /// Compile-time description.
    const DESC: SlotDesc;

    /// Returns the value for the read at this position of a step.
    #[doc(hidden)]
    fn find<'a>(input: &StepInput<'a>, at: usize) -> Option<&'a Self> {
        input.slot(at)
    }
}

/// Compile-time description of a slot.
#[derive(Debug, Clone, Copy)]
pub struct SlotDesc {
    /// Name of its type.
    pub name: &'static str,
    /// Full path of its type.
    pub path: &'static str,
    /// True if its values are sealed in the store and masked on screen.
    pub is_secret: bool,
    /// True if stores keep an index of its values, so that queries for them read few traces.
    pub is_indexed: bool,
    /// True if every request has it from the start, so that no step may write it.
    pub is_builtin: bool,
    /// Returns the id of its type.
    pub type_id: fn() -> TypeId,
}

/// Compile-time description of a write: a slot that a step writes.
#[derive(Debug, Clone, Copy)]
pub struct WriteDesc {
    /// The slot.
    pub slot: SlotDesc,
    /// True if the step may leave the slot unwritten.
    pub is_optional: bool,
    /// Decodes a value of the slot that does not come from the step, but from a recording or from an edit of a replay.
    pub decode: fn(&Value) -> Result<SharedValue, ValueError>,
    /// Returns the shape of its values.
    pub shape: fn() -> Shape,
}
