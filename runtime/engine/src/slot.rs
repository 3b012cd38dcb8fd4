//! Slots: values that live as long as their request, keyed by their type.

use std::any::{Any, TypeId};
use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use smallvec::SmallVec;
use zerver_trace::{SharedValue, TypedValue, Value, ValueError};

use crate::Frame;

#[diagnostic::on_unimplemented(
    message = "`{Self}` is no slot",
    label = "not a slot",
    note = "a slot is a type of its own: `#[derive(Slot, Serialize, Deserialize)] struct ..`"
)]
/// A type that is a slot. Derive it; the derive also needs `Serialize` and `Deserialize` for slots that steps write.
pub trait Slot: Any + Send + Sync + Sized {
    /// What is known of it when the program is compiled.
    const DESC: SlotDesc;

    /// The value in this frame, for the read at this position among the step's reads.
    #[doc(hidden)]
    fn find<'a>(frame: &Frame<'a>, at: usize) -> Option<&'a Self> {
        frame.slot(at)
    }
}

/// What is known of a slot when the program is compiled.
#[derive(Debug, Clone, Copy)]
pub struct SlotDesc {
    /// The name of its type.
    pub name: &'static str,
    /// The whole path of its type.
    pub path: &'static str,
    /// Whether its values are sealed in the store and masked on screen.
    pub secret: bool,
    /// Whether every request has it from the start, so that no step writes it.
    pub given: bool,
    /// Its type.
    pub type_id: fn() -> TypeId,
}

/// A slot that a step writes.
#[derive(Debug, Clone, Copy)]
pub struct Write {
    /// The slot.
    pub slot: SlotDesc,
    /// Whether the step may leave it unwritten.
    pub optional: bool,
    /// Makes its type of a value that is not from the step: of a recording, or of somebody who asks what if.
    pub decode: fn(&Value) -> Result<SharedValue, ValueError>,
}

fn decode<S: Slot + Serialize + DeserializeOwned>(value: &Value) -> Result<SharedValue, ValueError> {
    Ok(Arc::new(TypedValue(value.to_typed::<S>()?)))
}

/// The values a step wrote, in the order of its return type; none where it left one unwritten.
pub type Writes = SmallVec<[Option<SharedValue>; 2]>;

/// One slot in a step's return type: `Todo`, `Option<Todo>` or `Shared<Todo>`.
pub trait Part: Send + 'static {
    /// What it writes.
    const WRITE: Write;
    /// The value, if there is one.
    fn into_datum(self) -> Option<SharedValue>;
}

impl<S: Slot + Serialize + DeserializeOwned> Part for S {
    const WRITE: Write = Write { slot: S::DESC, optional: false, decode: decode::<S> };

    fn into_datum(self) -> Option<SharedValue> {
        Some(Arc::new(TypedValue(self)))
    }
}

impl<S: Slot + Serialize + DeserializeOwned> Part for Option<S> {
    const WRITE: Write = Write { slot: S::DESC, optional: true, decode: decode::<S> };

    fn into_datum(self) -> Option<SharedValue> {
        self.map(|value| Arc::new(TypedValue(value)) as SharedValue)
    }
}

/// A slot's value that is shared, not copied, with whoever else holds it: a cache, or a kv in memory.
#[derive(Debug)]
pub struct Shared<S>(pub Arc<TypedValue<S>>);

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Shared<S> {
    /// Puts a value behind a shared pointer.
    pub fn new(value: S) -> Self {
        Self(Arc::new(TypedValue(value)))
    }
}

impl<S> Deref for Shared<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0.0
    }
}

impl<S: Slot + Serialize + DeserializeOwned> Part for Shared<S> {
    const WRITE: Write = Write { slot: S::DESC, optional: false, decode: decode::<S> };

    fn into_datum(self) -> Option<SharedValue> {
        Some(self.0)
    }
}

/// What a step writes: nothing, one slot, or a tuple of them.
pub trait Slots: Send + 'static {
    /// What it writes, in order.
    const WRITES: &'static [Write];
    /// Whether there is no such value, so that what would write one never goes on.
    const ENDS: bool = false;
    /// The values, in that order.
    fn into_writes(self) -> Writes;
}

impl Slots for () {
    const WRITES: &'static [Write] = &[];

    fn into_writes(self) -> Writes {
        Writes::new()
    }
}

impl<P: Part> Slots for P {
    const WRITES: &'static [Write] = &[P::WRITE];

    fn into_writes(self) -> Writes {
        let mut writes = Writes::new();
        writes.push(self.into_datum());
        writes
    }
}

macro_rules! tuples {
    ($($part:ident)+) => {
        #[allow(non_snake_case)]
        impl<$($part: Part),+> Slots for ($($part,)+) {
            const WRITES: &'static [Write] = &[$($part::WRITE),+];

            fn into_writes(self) -> Writes {
                let ($($part,)+) = self;
                let mut writes = Writes::new();
                $(writes.push($part.into_datum());)+
                writes
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
