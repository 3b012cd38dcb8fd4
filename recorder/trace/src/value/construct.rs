//! Construction of values from types, recordable values and bytes.

use serde::Serialize;

use super::{Encoder, Recordable, Value, ValueError};

impl Value {
    /// Encodes a serializable value.
    ///
    /// # Errors
    /// An error from its `Serialize`, or it exceeds [`super::MAX_DEPTH`] or [`super::MAX_LEN`].
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self, ValueError> {
        let mut encoder = Encoder::new();
        encoder.put(value)?;
        encoder.finish()
    }

    /// Encodes a recordable value.
    ///
    /// # Errors
    /// The errors of [`Value::from_serialize`].
    pub fn from_recordable(value: &dyn Recordable) -> Result<Self, ValueError> {
        let mut encoder = Encoder::new();
        value.encode(&mut encoder)?;
        encoder.finish()
    }

    /// Encodes bytes as a byte string.
    ///
    /// # Errors
    /// The bytes exceed [`super::MAX_LEN`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ValueError> {
        let mut encoder = Encoder::new();
        encoder.bytes(bytes)?;
        encoder.finish()
    }
}
