//! A value in a store, either typed or self-describing.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zerver_engine::Shared;
use zerver_trace::value::Encoder;
use zerver_trace::{Recordable, SharedValue, TypedValue, Value, ValueError};

/// A value in a store. A clone shares the value.
#[derive(Clone)]
pub struct Stored(SharedValue);

/// A self-describing value.
struct Encoded(Value);

impl Recordable for Encoded {
    fn encode(&self, out: &mut Encoder) -> Result<(), ValueError> {
        out.value(&self.0)
    }
}

impl Stored {
    /// Creates a typed value.
    pub fn new<T: Serialize + Send + Sync + 'static>(value: T) -> Self {
        Self(Arc::new(TypedValue(value)))
    }

    /// Creates a typed value from a shared one.
    pub fn shared<T: Serialize + Send + Sync + 'static>(value: Shared<T>) -> Self {
        Self(value.0)
    }

    /// Creates a self-describing value.
    pub fn encoded(value: Value) -> Self {
        Self(Arc::new(Encoded(value)))
    }

    /// Returns a copy of the value as a `T`. A value of another type is converted.
    ///
    /// # Errors
    /// A [`ValueError`] if the value does not have the shape of a `T`.
    pub fn get<T: DeserializeOwned + Clone + 'static>(&self) -> Result<T, ValueError> {
        let any: &dyn Any = &*self.0;
        match any.downcast_ref::<TypedValue<T>>() {
            Some(typed) => Ok(typed.0.clone()),
            None => self.decode(),
        }
    }

    /// Returns the value as a `T`, shared if it has that type. A value of another type is converted.
    ///
    /// # Errors
    /// A [`ValueError`] if the value does not have the shape of a `T`.
    pub fn get_shared<T: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<Shared<T>, ValueError> {
        let any: Arc<dyn Any + Send + Sync> = self.0.clone();
        match any.downcast::<TypedValue<T>>() {
            Ok(typed) => Ok(Shared(typed)),
            Err(_) => self.decode().map(Shared::new),
        }
    }

    /// Returns the value in self-describing form.
    ///
    /// # Errors
    /// A [`ValueError`] if its `Serialize` fails, or if the value is too deep or too long.
    pub fn value(&self) -> Result<Value, ValueError> {
        let any: &dyn Any = &*self.0;
        match any.downcast_ref::<Encoded>() {
            Some(Encoded(value)) => Ok(value.clone()),
            None => Value::from_recordable(&*self.0),
        }
    }

    /// Encodes the value while it is serialized, without an intermediate value.
    pub(in crate::effects) fn record(&self, out: &mut Encoder) -> Result<(), ValueError> {
        self.0.encode(out)
    }

    fn decode<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        let any: &dyn Any = &*self.0;
        match any.downcast_ref::<Encoded>() {
            Some(Encoded(value)) => value.to_typed(),
            None => Value::from_recordable(&*self.0)?.to_typed(),
        }
    }
}

impl Serialize for Stored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::encoded)
    }
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.value() == other.value()
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value() {
            Ok(value) => value.fmt(f),
            Err(error) => error.fmt(f),
        }
    }
}
