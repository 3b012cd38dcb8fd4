//! The part of zerver that recorded a request, which determines what its trace can contain.

use bincode::de::Decoder;
use bincode::error::{AllowedEnumVariants, DecodeError};
use bincode::{Decode, Encode};
use serde::Serialize;

/// The part of zerver that recorded a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Encode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedBy {
    /// The runtime, which ran the steps of the request.
    #[default]
    Runtime,
    /// A layer around a service that has no steps. Slots, queues, CPU times and the seed are unknown, and the request cannot
    /// be replayed.
    Layer,
}

/// Decodes a late field of a trace. Traces of a schema before 3.5 end before it.
impl<C> Decode<C> for RecordedBy {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        match u32::decode(decoder) {
            Ok(0) | Err(DecodeError::UnexpectedEnd { .. }) => Ok(Self::Runtime),
            Ok(1) => Ok(Self::Layer),
            Ok(found) => Err(DecodeError::UnexpectedVariant {
                type_name: "RecordedBy",
                allowed: &AllowedEnumVariants::Range { min: 0, max: 1 },
                found,
            }),
            Err(error) => Err(error),
        }
    }
}

bincode::impl_borrow_decode!(RecordedBy);
