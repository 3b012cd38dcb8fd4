//! Values of a running request, which can be encoded later and on another thread.

use std::any::Any;
use std::sync::Arc;

use serde::Serialize;

use super::{Encoder, ValueError};

/// A value that can be recorded, later and on another thread.
pub trait Recordable: Any + Send + Sync {
    /// Encodes the value.
    ///
    /// # Errors
    /// An error from the value's own `Serialize`, or the value is too deep or too long.
    fn encode(&self, out: &mut Encoder) -> Result<(), ValueError>;

    /// Returns one line for a person, if the value is not readable on its own: `GET example.com/a` for an HTTP effect.
    /// Values of one type with equal encodings must return the same line.
    fn summary(&self) -> Option<String> {
        None
    }
}

/// A shared value of any recordable type.
pub type SharedValue = Arc<dyn Recordable>;

/// A serializable value as a [`Recordable`] one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TypedValue<T>(pub T);

impl<T: Serialize + Any + Send + Sync> Recordable for TypedValue<T> {
    fn encode(&self, out: &mut Encoder) -> Result<(), ValueError> {
        out.put(&self.0)
    }
}
