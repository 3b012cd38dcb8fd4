//! Parts of the values that a traced type reads: fields, items, entries and variants.

use std::vec::IntoIter;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::arena::{Node, NodeId};
use super::probe::Probe;
use super::tracer::{ProbeError, Tracer};

/// The fields of a struct. Those of which something is still unknown come first, so that a field whose samples are refused
/// does not hide them.
pub(super) struct FieldNames<'t> {
    tracer: &'t mut Tracer,
    node: NodeId,
    positions: IntoIter<usize>,
    value: Option<NodeId>,
}

impl<'t> FieldNames<'t> {
    pub(super) fn new(tracer: &'t mut Tracer, node: NodeId) -> Self {
        let mut positions: Vec<usize> = match tracer.arena.get(node) {
            Node::Struct { fields, .. } => (0..fields.len()).filter(|&at| !fields[at].is_alias).collect(),
            _ => Vec::new(),
        };
        if let Some((omit, position)) = tracer.omit
            && omit == node
        {
            positions.retain(|at| *at != position);
            tracer.is_omitted = true;
        }
        if let Node::Struct { fields, .. } = tracer.arena.get(node) {
            positions.sort_by_key(|&at| (!fields[at].is_first, !tracer.arena.has_new(fields[at].value)));
        }
        Self { tracer, node, positions: positions.into_iter(), value: None }
    }
}

impl<'de> MapAccess<'de> for FieldNames<'_> {
    type Error = ProbeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ProbeError> {
        let Some(at) = self.positions.next() else { return Ok(None) };
        let Node::Struct { fields, .. } = self.tracer.arena.get(self.node) else { return Ok(None) };
        let (name, value) = (fields[at].name, fields[at].value);
        self.tracer.last_field = Some((self.node, at));
        self.value = Some(value);
        let name: StrDeserializer<'_, ProbeError> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ProbeError> {
        let node = self.value.take().ok_or(ProbeError::Refused)?;
        seed.deserialize(Probe { tracer: self.tracer, node })
    }
}

/// The items of a list, or the parts of a tuple.
pub(super) struct Repeated<'t> {
    pub(super) tracer: &'t mut Tracer,
    pub(super) items: IntoIter<NodeId>,
}

impl<'de> SeqAccess<'de> for Repeated<'_> {
    type Error = ProbeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ProbeError> {
        let Some(node) = self.items.next() else { return Ok(None) };
        seed.deserialize(Probe { tracer: self.tracer, node }).map(Some)
    }
}

/// The entry of a map.
pub(super) struct OneEntry<'t> {
    pub(super) tracer: &'t mut Tracer,
    pub(super) map: NodeId,
    pub(super) entry: Option<(NodeId, NodeId)>,
}

/// A key of a map.
pub(super) struct KeyProbe<'t> {
    pub(super) tracer: &'t mut Tracer,
    pub(super) map: NodeId,
    key: NodeId,
}

impl<'t> KeyProbe<'t> {
    /// Returns the key as a value like any other.
    pub(super) fn value(self) -> Probe<'t> {
        Probe { tracer: self.tracer, node: self.key }
    }
}

impl<'de> MapAccess<'de> for OneEntry<'_> {
    type Error = ProbeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ProbeError> {
        let Some((key, _)) = self.entry else { return Ok(None) };
        let key = KeyProbe { tracer: self.tracer, map: self.map, key };
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ProbeError> {
        let (_, node) = self.entry.take().ok_or(ProbeError::Refused)?;
        seed.deserialize(Probe { tracer: self.tracer, node })
    }
}

/// A variant of an enum.
pub(super) struct OneVariant<'t> {
    pub(super) tracer: &'t mut Tracer,
    pub(super) chosen: (&'static str, NodeId),
}

impl OneVariant<'_> {
    /// Returns the variant to try: the one with the field to leave out, or else the first of which something is unknown, or
    /// else the first.
    pub(super) fn choose(tracer: &Tracer, node: NodeId) -> Option<(&'static str, NodeId)> {
        let Node::Choice { variants, .. } = tracer.arena.get(node) else { return None };
        let has_target = |id: NodeId| tracer.omit.is_some_and(|(omit, _)| tracer.arena.contains(id, omit));
        let find = |is_it: &dyn Fn(NodeId) -> bool| variants.iter().find(|(_, value)| is_it(*value));
        find(&has_target)
            .or_else(|| find(&|id| tracer.arena.has_new(id)))
            .or_else(|| variants.first())
            .copied()
    }
}

impl<'de> EnumAccess<'de> for OneVariant<'_> {
    type Error = ProbeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ProbeError> {
        let name: StrDeserializer<'_, ProbeError> = self.chosen.0.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for OneVariant<'_> {
    type Error = ProbeError;

    fn unit_variant(self) -> Result<(), ProbeError> {
        *self.tracer.arena.get_mut(self.chosen.1) = Node::Null;
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ProbeError> {
        seed.deserialize(Probe { tracer: self.tracer, node: self.chosen.1 })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, ProbeError> {
        Probe { tracer: self.tracer, node: self.chosen.1 }.parts(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ProbeError> {
        Probe { tracer: self.tracer, node: self.chosen.1 }.fields(self.chosen.0, fields, visitor)
    }
}
