//! The deserializer that a traced type reads from: it notes what the type asks for, and answers with a sample.

use serde::de::value::StrDeserializer;
use serde::de::{Deserializer, IntoDeserializer, Visitor};

use super::access::{FieldNames, KeyProbe, OneEntry, OneVariant, Repeated};
use super::arena::{FieldNode, Node, NodeId};
use super::samples::{INTEGERS, TEXTS};
use super::tracer::{MAX_NODES, ProbeError, Tracer};

/// Longest tuple whose parts have shapes of their own. The parts of longer ones, which are arrays, have one shape.
const MAX_TUPLE: usize = 16;

/// A value that is asked for.
pub(super) struct Probe<'t> {
    pub(super) tracer: &'t mut Tracer,
    pub(super) node: NodeId,
}

impl Probe<'_> {
    /// Notes what the value is, unless it is known.
    fn note(&mut self, node: impl FnOnce(&mut Tracer) -> Node) -> Node {
        if matches!(self.tracer.arena.get(self.node), Node::New) {
            let is_full = self.tracer.arena.len() > MAX_NODES;
            let node = if is_full { Node::Any } else { node(self.tracer) };
            *self.tracer.arena.get_mut(self.node) = node;
        }
        self.tracer.arena.get(self.node).clone()
    }

    fn integer(&mut self, bits: u8, is_signed: bool) -> u8 {
        self.tracer.last_sample = Some(self.node);
        match self.note(|_| Node::Integer { bits, is_signed, sample: 0 }) {
            Node::Integer { sample, .. } => INTEGERS[sample],
            _ => 0,
        }
    }

    fn text(&mut self) -> &'static str {
        self.tracer.last_sample = Some(self.node);
        match self.note(|_| Node::Text(0)) {
            Node::Text(sample) => TEXTS[sample].0,
            _ => "",
        }
    }

    fn is_recursive(&self, id: NodeId) -> bool {
        matches!(self.tracer.arena.get(id), Node::Recursive(_))
    }

    /// Enters a type of this name and these parts. Fails if it is being deserialized already.
    fn open(&mut self, name: &'static str, parts: &'static [&'static str]) -> Result<(), ProbeError> {
        if self.tracer.open.contains(&(name, parts)) {
            *self.tracer.arena.get_mut(self.node) = Node::Recursive(name);
            return Err(ProbeError::Refused);
        }
        self.tracer.open.push((name, parts));
        Ok(())
    }

    /// Deserializes a struct, or the variant of an enum that has fields.
    pub(super) fn fields<'de, V: Visitor<'de>>(
        mut self,
        name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        self.note(|tracer| Node::Struct {
            name,
            fields: names
                .iter()
                .map(|name| FieldNode {
                    name,
                    value: tracer.arena.add(),
                    is_required: None,
                    is_alias: false,
                    is_first: false,
                })
                .collect(),
        });
        visitor.visit_map(FieldNames::new(self.tracer, self.node))
    }

    /// Deserializes a tuple, or an array.
    pub(super) fn parts<'de, V: Visitor<'de>>(
        mut self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        let node = self.note(|tracer| match len {
            0..=MAX_TUPLE => Node::Tuple((0..len).map(|_| tracer.arena.add()).collect()),
            _ => Node::List(tracer.arena.add()),
        });
        let parts = match node {
            Node::Tuple(parts) => parts,
            Node::List(item) => vec![item; len],
            _ => return Err(ProbeError::Refused),
        };
        visitor.visit_seq(Repeated { tracer: self.tracer, items: parts.into_iter() })
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $bits:literal $is_signed:literal;)+) => {
        $(fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ProbeError> {
            let sample = self.integer($bits, $is_signed);
            visitor.$visit(sample.into())
        })+
    };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = ProbeError;

    integers! {
        deserialize_u8 visit_u8 8 false;
        deserialize_u16 visit_u16 16 false;
        deserialize_u32 visit_u32 32 false;
        deserialize_u64 visit_u64 64 false;
        deserialize_u128 visit_u128 128 false;
        deserialize_i16 visit_i16 16 true;
        deserialize_i32 visit_i32 32 true;
        deserialize_i64 visit_i64 64 true;
        deserialize_i128 visit_i128 128 true;
    }

    fn deserialize_i8<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ProbeError> {
        let sample = self.integer(8, true);
        visitor.visit_i8(sample.cast_signed())
    }

    fn deserialize_f32<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ProbeError> {
        self.note(|_| Node::Number);
        visitor.visit_f32(1.0)
    }

    fn deserialize_f64<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ProbeError> {
        self.note(|_| Node::Number);
        visitor.visit_f64(1.0)
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ProbeError> {
        self.note(|_| Node::Bool);
        visitor.visit_bool(true)
    }

    fn deserialize_char<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ProbeError> {
        self.note(|_| Node::Char);
        visitor.visit_char('a')
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ProbeError> {
        let sample = self.text();
        visitor.visit_borrowed_str(sample)
    }

    fn deserialize_string<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ProbeError> {
        let sample = self.text();
        visitor.visit_borrowed_str(sample)
    }

    fn deserialize_bytes<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ProbeError> {
        self.note(|_| Node::Bytes);
        visitor.visit_borrowed_bytes(&[])
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ProbeError> {
        match self.note(|tracer| Node::Optional(tracer.arena.add())) {
            Node::Optional(inner) if !self.is_recursive(inner) => {
                visitor.visit_some(Probe { tracer: self.tracer, node: inner })
            }
            _ => visitor.visit_none(),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ProbeError> {
        self.note(|_| Node::Null);
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ProbeError> {
        let items = match self.note(|tracer| Node::List(tracer.arena.add())) {
            Node::List(item) if !self.is_recursive(item) => vec![item],
            _ => Vec::new(),
        };
        visitor.visit_seq(Repeated { tracer: self.tracer, items: items.into_iter() })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, ProbeError> {
        self.parts(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        self.parts(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ProbeError> {
        let node = self.note(|tracer| Node::Map { key: tracer.arena.add(), value: tracer.arena.add() });
        let entry = match node {
            Node::Map { key, value } if !self.is_recursive(value) => Some((key, value)),
            _ => None,
        };
        visitor.visit_map(OneEntry { tracer: self.tracer, map: self.node, entry })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        self.open(name, fields)?;
        let Self { tracer, node } = self;
        let result = Probe { tracer: &mut *tracer, node }.fields(name, fields, visitor);
        tracer.open.pop();
        result
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        self.open(name, variants)?;
        self.note(|tracer| Node::Choice {
            name,
            variants: variants.iter().map(|variant| (*variant, tracer.arena.add())).collect(),
        });
        let Self { tracer, node } = self;
        let chosen = OneVariant::choose(tracer, node).ok_or(ProbeError::Refused)?;
        let result = visitor.visit_enum(OneVariant { tracer: &mut *tracer, chosen });
        tracer.open.pop();
        result
    }

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, ProbeError> {
        self.note(|_| Node::Any);
        visitor.visit_unit()
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        self.deserialize_any(visitor)
    }
}

macro_rules! number_keys {
    ($($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
            self.value().$method(visitor)
        })+
    };
}

/// The key of a map. Only a struct with flattened fields asks for the name of a field here; its fields are unknown.
impl<'de> Deserializer<'de> for KeyProbe<'_> {
    type Error = ProbeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        let key: StrDeserializer<'_, ProbeError> = "key".into_deserializer();
        key.deserialize_any(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, ProbeError> {
        *self.tracer.arena.get_mut(self.map) = Node::Object;
        Err(ProbeError::Refused)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        self.value().deserialize_str(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ProbeError> {
        self.value().deserialize_str(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        self.value().deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'de>>
        bool char bytes byte_buf option unit unit_struct seq tuple tuple_struct map struct ignored_any
    }

    number_keys! { deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_i8
    deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_f32 deserialize_f64 }
}
