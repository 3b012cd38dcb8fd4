//! The key under which the secrets of a trace are sealed.

use bincode::de::Decoder;
use bincode::error::DecodeError;
use bincode::{Decode, Encode};

/// Id of the data key under which the secrets of a trace are sealed, which does not reveal it. `None` for the key of the
/// store that recorded the trace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
pub struct SealedBy(pub Option<[u8; 8]>);

/// Decodes the last field of a trace. Traces of a schema before 3.8 end before it.
impl<C> Decode<C> for SealedBy {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        match u8::decode(decoder) {
            Ok(0) | Err(DecodeError::UnexpectedEnd { .. }) => Ok(Self(None)),
            Ok(1) => Ok(Self(Some(<[u8; 8]>::decode(decoder)?))),
            Ok(_) => Err(DecodeError::Other("a trace names its key in an unknown way")),
            Err(error) => Err(error),
        }
    }
}

bincode::impl_borrow_decode!(SealedBy);
