//! Serialization of values with serde.

use serde::Serialize;
use serde::ser;

use super::ValueError;
use super::encoder::Encoder;
use super::token::{self, VALUE_NEWTYPE, zigzag};

/// A sequence, map or struct being written. `levels` is the nesting that its end closes: two for the content of a
/// variant.
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
        if std::mem::take(&mut self.is_next_tokens) { self.splice(v) } else { self.bytes(v) }
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
        self.is_next_tokens = name == VALUE_NEWTYPE;
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        self.variant_of(variant, |out| value.serialize(out))
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
