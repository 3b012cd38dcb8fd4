//! From serde to tokens.

use serde::Serialize;
use serde::ser;

use super::token::{self, MAX_NAME, zigzag};
use super::{MAX_DEPTH, MAX_LEN, NEWTYPE, Node, Value, ValueError};

/// Writes the tokens of one value.
#[derive(Debug, Default)]
pub struct Encoder {
    out: Vec<u8>,
    depth: usize,
    /// Whether the bytes that come next are the tokens of a value.
    tokens: bool,
}

impl Encoder {
    /// An encoder with nothing written.
    pub fn new() -> Self {
        Self { out: Vec::with_capacity(64), depth: 0, tokens: false }
    }

    /// Writes a serialisable value.
    ///
    /// # Errors
    /// What its `Serialize` reports, or that it is too deep or too long.
    pub fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        value.serialize(self)
    }

    /// Writes a run of bytes.
    ///
    /// # Errors
    /// That it is too long.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), ValueError> {
        self.sized(token::BYTES, bytes)
    }

    /// Writes a value that has already been encoded.
    ///
    /// # Errors
    /// That it is too deep or too long.
    pub fn value(&mut self, value: &Value) -> Result<(), ValueError> {
        self.splice(value.tokens())
    }

    fn splice(&mut self, tokens: &[u8]) -> Result<(), ValueError> {
        self.fits(tokens.len())?;
        token::check_within(tokens, MAX_DEPTH - self.depth)?;
        self.out.extend_from_slice(tokens);
        Ok(())
    }

    /// Writes a tree, with each text and each run of bytes for which `replace` has an answer replaced by it.
    ///
    /// # Errors
    /// That it is too deep or too long.
    pub fn node(
        &mut self,
        node: &Node<'_>,
        replace: &mut dyn FnMut(&[u8]) -> Option<String>,
    ) -> Result<(), ValueError> {
        match node {
            Node::Unit => self.tag(token::UNIT),
            Node::None => self.tag(token::NONE),
            Node::Some(inner) => {
                self.open(token::SOME)?;
                self.node(inner, replace)?;
                self.depth -= 1;
                Ok(())
            }
            Node::Bool(v) => self.put(v),
            Node::Uint(v) => self.put(v),
            Node::Int(v) => self.put(v),
            Node::U128(v) => self.put(v),
            Node::I128(v) => self.put(v),
            Node::F32(v) => self.put(v),
            Node::F64(v) => self.put(v),
            Node::Char(v) => self.put(v),
            Node::Str(v) => match replace(v.as_bytes()) {
                Some(other) => self.put(&other),
                None => self.put(v),
            },
            Node::Bytes(v) => match replace(v) {
                Some(other) => self.put(&other),
                None => self.bytes(v),
            },
            Node::Seq(items) => {
                // A `Vec<u8>` that serialised as a sequence of numbers.
                if let Some(other) = node.as_bytes().and_then(|bytes| replace(&bytes)) {
                    return self.put(&other);
                }
                self.open(token::SEQ)?;
                items.iter().try_for_each(|item| self.node(item, replace))?;
                self.shut()
            }
            Node::Map(entries) => {
                self.open(token::MAP)?;
                for (key, value) in entries {
                    self.node(key, replace)?;
                    self.node(value, replace)?;
                }
                self.shut()
            }
            Node::Struct(fields) => {
                self.open(token::STRUCT)?;
                for (name, value) in fields {
                    self.name(name)?;
                    self.node(value, replace)?;
                }
                self.shut()
            }
            Node::Variant(name, None) => {
                self.tag(token::UNIT_VARIANT)?;
                self.name(name)
            }
            Node::Variant(name, Some(inner)) => {
                self.variant(name)?;
                self.node(inner, replace)?;
                self.depth -= 1;
                Ok(())
            }
        }
    }

    /// The value that was written.
    ///
    /// # Errors
    /// When it was not exactly one.
    pub fn finish(self) -> Result<Value, ValueError> {
        debug_assert_eq!(token::check(&self.out), Ok(()));
        if self.out.is_empty() {
            return Err(ValueError::Truncated);
        }
        Ok(Value(self.out.into_boxed_slice()))
    }

    /// A copy of the value that was written.
    ///
    /// # Errors
    /// When it was not exactly one.
    pub fn copy(&self) -> Result<Value, ValueError> {
        debug_assert_eq!(token::check(&self.out), Ok(()));
        if self.out.is_empty() {
            return Err(ValueError::Truncated);
        }
        Ok(Value(Box::from(self.out.as_slice())))
    }

    /// The tokens written so far.
    pub fn written(&self) -> &[u8] {
        &self.out
    }

    /// Forgets what was written, so that another value can be.
    pub fn clear(&mut self) {
        self.out.clear();
        self.depth = 0;
    }

    fn fits(&self, more: usize) -> Result<(), ValueError> {
        if self.out.len() + more > MAX_LEN { Err(ValueError::TooLong) } else { Ok(()) }
    }

    fn tag(&mut self, tag: u8) -> Result<(), ValueError> {
        self.fits(1)?;
        self.out.push(tag);
        Ok(())
    }

    fn number(&mut self, tag: u8, mut n: u64) -> Result<(), ValueError> {
        self.fits(11)?;
        self.out.push(tag);
        while n >= 0x80 {
            self.out.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.out.push(n as u8);
        Ok(())
    }

    fn fixed(&mut self, tag: u8, bytes: &[u8]) -> Result<(), ValueError> {
        self.fits(1 + bytes.len())?;
        self.out.push(tag);
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn sized(&mut self, tag: u8, bytes: &[u8]) -> Result<(), ValueError> {
        self.fits(11 + bytes.len())?;
        self.number(tag, bytes.len() as u64)?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn name(&mut self, name: &str) -> Result<(), ValueError> {
        if name.len() > MAX_NAME {
            return Err(ValueError::Malformed("a name over 254 bytes"));
        }
        self.fixed(name.len() as u8, name.as_bytes())
    }

    fn open(&mut self, tag: u8) -> Result<(), ValueError> {
        self.tag(tag)?;
        self.deeper()
    }

    fn shut(&mut self) -> Result<(), ValueError> {
        self.depth -= 1;
        self.tag(token::END)
    }

    fn deeper(&mut self) -> Result<(), ValueError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(ValueError::TooDeep) } else { Ok(()) }
    }

    fn variant(&mut self, name: &str) -> Result<(), ValueError> {
        self.tag(token::VARIANT)?;
        self.name(name)?;
        self.deeper()
    }
}

/// A sequence, map or struct being written. `levels` is what its end closes: two for a variant's.
#[derive(Debug)]
pub struct Compound<'a> {
    encoder: &'a mut Encoder,
    levels: usize,
}

impl Compound<'_> {
    fn close(self) -> Result<(), ValueError> {
        self.encoder.depth -= self.levels;
        self.encoder.tag(token::END)
    }
}

impl<'a> ser::Serializer for &'a mut Encoder {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    fn serialize_bool(self, v: bool) -> Result<(), ValueError> {
        self.tag(if v { token::TRUE } else { token::FALSE })
    }
    fn serialize_i8(self, v: i8) -> Result<(), ValueError> {
        self.serialize_i64(v.into())
    }
    fn serialize_i16(self, v: i16) -> Result<(), ValueError> {
        self.serialize_i64(v.into())
    }
    fn serialize_i32(self, v: i32) -> Result<(), ValueError> {
        self.serialize_i64(v.into())
    }
    fn serialize_i64(self, v: i64) -> Result<(), ValueError> {
        self.number(token::INT, zigzag(v))
    }
    fn serialize_i128(self, v: i128) -> Result<(), ValueError> {
        self.fixed(token::I128, &v.to_le_bytes())
    }
    fn serialize_u8(self, v: u8) -> Result<(), ValueError> {
        self.serialize_u64(v.into())
    }
    fn serialize_u16(self, v: u16) -> Result<(), ValueError> {
        self.serialize_u64(v.into())
    }
    fn serialize_u32(self, v: u32) -> Result<(), ValueError> {
        self.serialize_u64(v.into())
    }
    fn serialize_u64(self, v: u64) -> Result<(), ValueError> {
        self.number(token::UINT, v)
    }
    fn serialize_u128(self, v: u128) -> Result<(), ValueError> {
        self.fixed(token::U128, &v.to_le_bytes())
    }
    fn serialize_f32(self, v: f32) -> Result<(), ValueError> {
        self.fixed(token::F32, &v.to_le_bytes())
    }
    fn serialize_f64(self, v: f64) -> Result<(), ValueError> {
        self.fixed(token::F64, &v.to_le_bytes())
    }
    fn serialize_char(self, v: char) -> Result<(), ValueError> {
        self.number(token::CHAR, u64::from(u32::from(v)))
    }
    fn serialize_str(self, v: &str) -> Result<(), ValueError> {
        self.sized(token::STR, v.as_bytes())
    }
    fn serialize_bytes(self, v: &[u8]) -> Result<(), ValueError> {
        if std::mem::take(&mut self.tokens) { self.splice(v) } else { self.bytes(v) }
    }
    fn serialize_none(self) -> Result<(), ValueError> {
        self.tag(token::NONE)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), ValueError> {
        self.open(token::SOME)?;
        value.serialize(&mut *self)?;
        self.depth -= 1;
        Ok(())
    }
    fn serialize_unit(self) -> Result<(), ValueError> {
        self.tag(token::UNIT)
    }
    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), ValueError> {
        self.tag(token::UNIT)
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), ValueError> {
        self.tag(token::UNIT_VARIANT)?;
        self.name(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        self.tokens = name == NEWTYPE;
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.depth -= 1;
        Ok(())
    }
    fn serialize_seq(self, _len: Option<usize>) -> Result<Compound<'a>, ValueError> {
        self.open(token::SEQ)?;
        Ok(Compound { encoder: self, levels: 1 })
    }
    fn serialize_tuple(self, len: usize) -> Result<Compound<'a>, ValueError> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Compound<'a>, ValueError> {
        self.serialize_seq(Some(len))
    }
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Compound<'a>, ValueError> {
        self.variant(variant)?;
        self.open(token::SEQ)?;
        Ok(Compound { encoder: self, levels: 2 })
    }
    fn serialize_map(self, _len: Option<usize>) -> Result<Compound<'a>, ValueError> {
        self.open(token::MAP)?;
        Ok(Compound { encoder: self, levels: 1 })
    }
    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Compound<'a>, ValueError> {
        self.open(token::STRUCT)?;
        Ok(Compound { encoder: self, levels: 1 })
    }
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Compound<'a>, ValueError> {
        self.variant(variant)?;
        self.open(token::STRUCT)?;
        Ok(Compound { encoder: self, levels: 2 })
    }
}

impl ser::SerializeSeq for Compound<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        value.serialize(&mut *self.encoder)
    }
    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}

impl ser::SerializeTuple for Compound<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        value.serialize(&mut *self.encoder)
    }
    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}

impl ser::SerializeTupleStruct for Compound<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        value.serialize(&mut *self.encoder)
    }
    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}

impl ser::SerializeTupleVariant for Compound<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        value.serialize(&mut *self.encoder)
    }
    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        key.serialize(&mut *self.encoder)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        value.serialize(&mut *self.encoder)
    }
    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}

impl ser::SerializeStruct for Compound<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        self.encoder.name(name)?;
        value.serialize(&mut *self.encoder)
    }
    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}

impl ser::SerializeStructVariant for Compound<'_> {
    type Ok = ();
    type Error = ValueError;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        self.encoder.name(name)?;
        value.serialize(&mut *self.encoder)
    }
    fn end(self) -> Result<(), ValueError> {
        self.close()
    }
}
