//! Outputs of steps: the slots in their return types, and the conversion into values.

use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use smallvec::SmallVec;
use zerver_trace::{SharedValue, TypedValue, Value, ValueError};

use super::description::{Slot, WriteDesc};
use crate::shape::Shape;

/// Values that a step wrote, in the order of its return type; `None` for a slot that it left unwritten.
pub type Writes = SmallVec<[Option<SharedValue>; 2]>;

/// A slot in the return type of a step: `Todo`, `Option<Todo>` or `Shared<Todo>`.
pub trait SlotOutput: Send + 'static {
    /// Compile-time description.
    const WRITE: WriteDesc;
    /// Converts it into the slot's value, if it has one.
    fn into_value(self) -> Option<SharedValue>;
}

impl<S: Slot + Serialize + DeserializeOwned> SlotOutput for S {
    const WRITE: WriteDesc =
        WriteDesc { slot: S::DESC, is_optional: false, decode: decode::<S>, shape: Shape::of::<S> };

    fn into_value(self) -> Option<SharedValue> {
        Some(Arc::new(TypedValue(self)))
    }
}

impl<S: Slot + Serialize + DeserializeOwned> SlotOutput for Option<S> {
    const WRITE: WriteDesc =
        WriteDesc { slot: S::DESC, is_optional: true, decode: decode::<S>, shape: Shape::of::<S> };

    fn into_value(self) -> Option<SharedValue> {
        self.map(|value| Arc::new(TypedValue(value)) as SharedValue)
    }
}

/// Slot value behind a shared pointer, for values that a cache or an in-memory store holds too. It is not copied.
#[derive(Debug)]
pub struct Shared<S>(pub Arc<TypedValue<S>>);

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Shared<S> {
    /// Moves a value behind a shared pointer.
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

impl<S: Slot + Serialize + DeserializeOwned> SlotOutput for Shared<S> {
    const WRITE: WriteDesc =
        WriteDesc { slot: S::DESC, is_optional: false, decode: decode::<S>, shape: Shape::of::<S> };

    fn into_value(self) -> Option<SharedValue> {
        Some(self.0)
    }
}

/// Output of a step: nothing, one slot, or a tuple of slots.
pub trait StepOutput: Send + 'static {
    /// Slots that the step writes, in order.
    const WRITES: &'static [WriteDesc];
    /// True if the type has no values: a step with this output never goes on to the next step.
    const IS_FINAL: bool = false;
    /// Converts it into the values of the slots, in order.
    fn into_writes(self) -> Writes;
}

impl StepOutput for () {
    const WRITES: &'static [WriteDesc] = &[];

    fn into_writes(self) -> Writes {
        Writes::new()
    }
}

impl<P: SlotOutput> StepOutput for P {
    const WRITES: &'static [WriteDesc] = &[P::WRITE];

    fn into_writes(self) -> Writes {
        let mut writes = Writes::new();
        writes.push(self.into_value());
        writes
    }
}

macro_rules! tuples {
    ($($part:ident)+) => {
        #[allow(non_snake_case)]
        impl<$($part: SlotOutput),+> StepOutput for ($($part,)+) {
            const WRITES: &'static [WriteDesc] = &[$($part::WRITE),+];

            fn into_writes(self) -> Writes {
                let ($($part,)+) = self;
                let mut writes = Writes::new();
                $(writes.push($part.into_value());)+
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

fn decode<S: Slot + Serialize + DeserializeOwned>(value: &Value) -> Result<SharedValue, ValueError> {
    Ok(Arc::new(TypedValue(value.to_typed::<S>()?)))
}
