//! The encoded form of a value, and its conversions into types and other formats.

use std::fmt;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder as BincodeEncoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use serde::de::{self as serde_de, DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::deserializer::Deserializer as TokenDeserializer;
use super::token::{self, VALUE_NEWTYPE};
use super::{Node, ValueError};

/// A self-describing value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Value(pub(super) Box<[u8]>);

impl Value {
    /// Creates a value from its tokens, which may be untrusted.
    ///
    /// # Errors
    /// The tokens are not exactly one value within the limits.
    pub fn from_tokens(tokens: Vec<u8>) -> Result<Self, ValueError> {
        token::check(&tokens)?;
        Ok(Self(tokens.into_boxed_slice()))
    }

    /// Returns the tokens, which [`Value::from_tokens`] accepts.
    pub fn tokens(&self) -> &[u8] {
        &self.0
    }

    /// Converts the value into a type.
    ///
    /// # Errors
    /// The value does not have the shape of `T`.
    pub fn to_typed<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        let mut deserializer = TokenDeserializer::new(&self.0);
        let value = T::deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(value)
    }

    /// Returns the value as a tree.
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

/// Serializes as the value itself within another value: there is no sign that it was encoded before. Other formats
/// receive its tokens.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Tokens<'a>(&'a [u8]);

        impl Serialize for Tokens<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(self.0)
            }
        }

        serializer.serialize_newtype_struct(VALUE_NEWTYPE, &Tokens(&self.0))
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

        deserializer.deserialize_newtype_struct(VALUE_NEWTYPE, Tokens)
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
