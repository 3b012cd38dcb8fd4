//! Deserialization of values with serde.

use serde::de::value::{BorrowedBytesDeserializer, BorrowedStrDeserializer, StrDeserializer};
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::token::{self, Token, TokenReader, VALUE_NEWTYPE};
use super::{MAX_DEPTH, ValueError};

/// Deserializer of one value.
pub(super) struct Deserializer<'de> {
    tokens: TokenReader<'de>,
    depth: usize,
}

impl<'de> Deserializer<'de> {
    pub(super) fn new(tokens: &'de [u8]) -> Self {
        Self { tokens: TokenReader::new(tokens), depth: 0 }
    }

    pub(super) fn end(&self) -> Result<(), ValueError> {
        if self.tokens.is_at_end() { Ok(()) } else { Err(ValueError::Trailing) }
    }

    fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, ValueError>) -> Result<T, ValueError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ValueError::TooDeep);
        }
        let out = f(self);
        self.depth -= 1;
        out
    }

    /// Reads the end of a sequence or map. Fails if elements are left, because the type then has fewer than the value.
    fn close(&mut self) -> Result<(), ValueError> {
        match self.tokens.token()? {
            Token::End => Ok(()),
            _ => Err(ValueError::Custom("the value has more elements than the type".to_owned())),
        }
    }
}

impl<'de> de::Deserializer<'de> for &mut Deserializer<'de> {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.tokens.token()? {
            Token::Unit => visitor.visit_unit(),
            Token::None => visitor.visit_none(),
            Token::Some => self.nested(|this| visitor.visit_some(this)),
            Token::Bool(v) => visitor.visit_bool(v),
            Token::Uint(v) => visitor.visit_u64(v),
            Token::Int(v) => visitor.visit_i64(v),
            Token::U128(v) => visitor.visit_u128(v),
            Token::I128(v) => visitor.visit_i128(v),
            Token::F32(v) => visitor.visit_f32(v),
            Token::F64(v) => visitor.visit_f64(v),
            Token::Number(v) => visitor.visit_f64(float(v)?),
            Token::Char(v) => visitor.visit_char(v),
            Token::Str(v) | Token::UnitVariant(v) => visitor.visit_borrowed_str(v),
            Token::Bytes(v) => visitor.visit_borrowed_bytes(v),
            Token::Seq => self.nested(|this| {
                let value = visitor.visit_seq(Elements(this))?;
                this.close()?;
                Ok(value)
            }),
            Token::Map => self.nested(|this| {
                let value = visitor.visit_map(Entries(this))?;
                this.close()?;
                Ok(value)
            }),
            Token::Struct => self.nested(|this| {
                let mut fields = Fields { deserializer: this, ended: false };
                let value = visitor.visit_map(&mut fields)?;
                let ended = fields.ended;
                if !ended && this.tokens.field()?.is_some() {
                    return Err(ValueError::Custom("the value has more fields than the type".to_owned()));
                }
                Ok(value)
            }),
            // A map with one entry, as in JSON, because serde's buffers expect it.
            Token::Variant(name) => {
                self.nested(|this| visitor.visit_map(OneVariant { deserializer: this, name: Some(name) }))
            }
            Token::End => Err(ValueError::Malformed("an unexpected end")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.tokens.peek_tag()? {
            token::NONE | token::SOME | token::UNIT => self.deserialize_any(visitor),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.tokens.peek_tag()? {
            // Parsed as 32 bits directly, to avoid double rounding.
            token::NUMBER => match self.tokens.token()? {
                Token::Number(v) => visitor.visit_f32(float(v)?),
                _ => Err(ValueError::Malformed("an invalid number")),
            },
            _ => self.deserialize_f64(visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.tokens.peek_tag()? {
            // Integers are accepted as floats, as in JSON. Serde itself accepts those of up to 64 bits.
            token::U128 | token::I128 => match self.tokens.token()? {
                Token::U128(v) => visitor.visit_f64(v as f64),
                Token::I128(v) => visitor.visit_f64(v as f64),
                _ => Err(ValueError::Malformed("an invalid number")),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        if name == VALUE_NEWTYPE {
            return visitor.visit_newtype_struct(BorrowedBytesDeserializer::new(self.tokens.take_value()?));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self.tokens.token()? {
            Token::UnitVariant(name) | Token::Str(name) => visitor.visit_enum(name.into_deserializer()),
            Token::Variant(name) => {
                self.nested(|this| visitor.visit_enum(Variant { deserializer: this, name }))
            }
            // The form that JSON uses: a map from the name of the variant to its content.
            Token::Map => self.nested(|this| {
                let Token::Str(name) = this.tokens.token()? else {
                    return Err(ValueError::Custom("the name of a variant must be text".to_owned()));
                };
                let value = visitor.visit_enum(Variant { deserializer: this, name })?;
                this.close()?;
                Ok(value)
            }),
            _ => Err(ValueError::Custom("expected a variant".to_owned())),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        self.tokens.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier
    }
}

/// Returns the float nearest to a number.
fn float<F: std::str::FromStr>(number: &str) -> Result<F, ValueError> {
    number.parse().map_err(|_| ValueError::Malformed("an invalid number"))
}

struct Elements<'a, 'de>(&'a mut Deserializer<'de>);

impl<'de> de::SeqAccess<'de> for Elements<'_, 'de> {
    type Error = ValueError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ValueError> {
        match self.0.tokens.peek_tag()? {
            token::END => Ok(None),
            _ => seed.deserialize(&mut *self.0).map(Some),
        }
    }
}

struct Entries<'a, 'de>(&'a mut Deserializer<'de>);

impl<'de> de::MapAccess<'de> for Entries<'_, 'de> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ValueError> {
        match self.0.tokens.peek_tag()? {
            token::END => Ok(None),
            _ => seed.deserialize(&mut *self.0).map(Some),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ValueError> {
        seed.deserialize(&mut *self.0)
    }
}

struct Fields<'a, 'de> {
    deserializer: &'a mut Deserializer<'de>,
    ended: bool,
}

impl<'de> de::MapAccess<'de> for &mut Fields<'_, 'de> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ValueError> {
        if self.ended {
            return Ok(None);
        }
        match self.deserializer.tokens.field()? {
            Some(name) => seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some),
            None => {
                self.ended = true;
                Ok(None)
            }
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ValueError> {
        seed.deserialize(&mut *self.deserializer)
    }
}

struct OneVariant<'a, 'de> {
    deserializer: &'a mut Deserializer<'de>,
    name: Option<&'de str>,
}

impl<'de> de::MapAccess<'de> for OneVariant<'_, 'de> {
    type Error = ValueError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ValueError> {
        let Some(name) = self.name.take() else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ValueError> {
        seed.deserialize(&mut *self.deserializer)
    }
}

struct Variant<'a, 'de> {
    deserializer: &'a mut Deserializer<'de>,
    name: &'de str,
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = ValueError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ValueError> {
        let name: StrDeserializer<'_, ValueError> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<(), ValueError> {
        de::Deserialize::deserialize(self.deserializer)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ValueError> {
        seed.deserialize(self.deserializer)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, ValueError> {
        de::Deserializer::deserialize_any(self.deserializer, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        de::Deserializer::deserialize_any(self.deserializer, visitor)
    }
}
