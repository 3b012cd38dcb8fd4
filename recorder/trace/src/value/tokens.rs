//! A slot's value, an effect's arguments, a result: self-describing, so that it can be shown, compared and edited
//! without the types of the program that recorded it, and turns back into those types without loss.
//!
//! A [`Value`] is one flat run of tokens (see `token`), written by serde and read by serde. Nesting is counted, never
//! recursed into while checking, and both nesting and size have a limit.

use std::fmt;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder as BincodeEncoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use serde::de::{self as serde_de, DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::deserializer::Deserializer as Tokens;
use super::{Encoder, Node, token};

/// How deep a value may be nested.
pub const MAX_DEPTH: usize = 96;

/// How long a value may be, in bytes of its tokens.
pub const MAX_LEN: usize = 256 * 1024;

/// A self-describing value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Value(pub(super) Box<[u8]>);

impl Value {
    /// What `value` serialises to.
    ///
    /// # Errors
    /// What its `Serialize` reports, or that it exceeds [`MAX_DEPTH`] or [`MAX_LEN`].
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self, ValueError> {
        let mut encoder = Encoder::new();
        encoder.put(value)?;
        encoder.finish()
    }

    /// What `data` describes itself as.
    ///
    /// # Errors
    /// As for [`Value::from_serialize`].
    pub fn from_recordable(data: &dyn crate::Recordable) -> Result<Self, ValueError> {
        let mut encoder = Encoder::new();
        data.encode(&mut encoder)?;
        encoder.finish()
    }

    /// The value of a run of bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ValueError> {
        let mut encoder = Encoder::new();
        encoder.bytes(bytes)?;
        encoder.finish()
    }

    /// A value from its tokens, which may come from anywhere.
    ///
    /// # Errors
    /// When they are not one whole value within the limits.
    pub fn from_tokens(tokens: Vec<u8>) -> Result<Self, ValueError> {
        token::check(&tokens)?;
        Ok(Self(tokens.into_boxed_slice()))
    }

    /// Its tokens: what [`Value::from_tokens`] takes.
    pub fn tokens(&self) -> &[u8] {
        &self.0
    }

    /// Turns it back into a type.
    ///
    /// # Errors
    /// When the value does not have the shape that `T` wants.
    pub fn to_typed<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        let mut deserializer = Tokens::new(&self.0);
        let value = T::deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(value)
    }

    /// The value as a tree, to look into.
    pub fn root(&self) -> Node<'_> {
        Node::parse(&self.0)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.root(), f)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A newtype of this name is not written as the bytes it holds, but as the value whose tokens they are.
pub(super) const NEWTYPE: &str = "$zerver::Value";

/// A value within a value is that value: nothing tells that it had been encoded before. Other formats get its tokens.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Tokens<'a>(&'a [u8]);

        impl Serialize for Tokens<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(self.0)
            }
        }

        serializer.serialize_newtype_struct(NEWTYPE, &Tokens(&self.0))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tokens;

        impl<'de> Visitor<'de> for Tokens {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
                inner.deserialize_bytes(self)
            }

            fn visit_bytes<E: serde_de::Error>(self, tokens: &[u8]) -> Result<Value, E> {
                Value::from_tokens(tokens.to_vec()).map_err(E::custom)
            }
        }

        deserializer.deserialize_newtype_struct(NEWTYPE, Tokens)
    }
}

impl Encode for Value {
    fn encode<E: BincodeEncoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<C> Decode<C> for Value {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let tokens = Vec::<u8>::decode(decoder)?;
        Self::from_tokens(tokens).map_err(|error| DecodeError::OtherString(error.to_string()))
    }
}

impl<'de, C> BorrowDecode<'de, C> for Value {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

/// Why a value could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueError {
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// Longer than [`MAX_LEN`].
    TooLong,
    /// The tokens end before the value does.
    Truncated,
    /// Tokens follow the end of the value.
    Trailing,
    /// These are not tokens of a value.
    Malformed(&'static str),
    /// What the type's own `Serialize` or `Deserialize` reported.
    Custom(String),
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooDeep => write!(f, "nested deeper than {MAX_DEPTH} levels"),
            Self::TooLong => write!(f, "longer than {MAX_LEN} bytes"),
            Self::Truncated => write!(f, "the value ends too early"),
            Self::Trailing => write!(f, "something follows the end of the value"),
            Self::Malformed(what) => write!(f, "not a value: {what}"),
            Self::Custom(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for ValueError {}

impl serde::ser::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

impl serde::de::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}
