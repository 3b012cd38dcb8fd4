//! Values of a type, as far as they are known while it is traced.

use super::samples::{INTEGERS, ShapeFormat, TEXTS};
use super::shape_type::{Shape, ShapeField};

/// Position of a node in the [`Arena`].
pub(super) type NodeId = usize;

/// The values of a type: the first node is the value itself, and others are its parts.
#[derive(Debug)]
pub(super) struct Arena(Vec<Node>);

/// A value, as far as it is known.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// Never asked for.
    New,
    Any,
    Null,
    Bool,
    /// Contains the sample to offer next.
    Integer {
        bits: u8,
        is_signed: bool,
        sample: usize,
    },
    Number,
    Char,
    /// Contains the sample to offer next.
    Text(usize),
    Bytes,
    Optional(NodeId),
    List(NodeId),
    Tuple(Vec<NodeId>),
    Map {
        key: NodeId,
        value: NodeId,
    },
    Object,
    Struct {
        name: &'static str,
        fields: Vec<FieldNode>,
    },
    Choice {
        name: &'static str,
        variants: Vec<(&'static str, NodeId)>,
    },
    Recursive(&'static str),
}

/// A field of a struct.
#[derive(Debug, Clone)]
pub(super) struct FieldNode {
    pub(super) name: &'static str,
    pub(super) value: NodeId,
    /// `None` as long as it is unknown.
    pub(super) is_required: Option<bool>,
    /// True if it is another name of another field.
    pub(super) is_alias: bool,
    /// True if it must precede the others.
    pub(super) is_first: bool,
}

impl Arena {
    pub(super) fn new() -> Self {
        Self(vec![Node::New])
    }

    /// Returns the number of nodes that were asked for.
    pub(super) fn known(&self) -> usize {
        self.0.iter().filter(|node| !matches!(node, Node::New)).count()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, id: NodeId) -> &Node {
        &self.0[id]
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.0[id]
    }

    pub(super) fn add(&mut self) -> NodeId {
        self.0.push(Node::New);
        self.0.len() - 1
    }

    fn parts(&self, id: NodeId) -> Vec<NodeId> {
        match &self.0[id] {
            Node::Optional(inner) | Node::List(inner) => vec![*inner],
            Node::Tuple(parts) => parts.clone(),
            Node::Map { key, value } => vec![*key, *value],
            Node::Struct { fields, .. } => {
                fields.iter().filter(|field| !field.is_alias).map(|field| field.value).collect()
            }
            Node::Choice { variants, .. } => variants.iter().map(|(_, value)| *value).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns true if a part of this value was never asked for. Parts always follow their whole, so this ends.
    pub(super) fn has_new(&self, id: NodeId) -> bool {
        matches!(self.0[id], Node::New) || self.parts(id).into_iter().any(|part| self.has_new(part))
    }

    pub(super) fn contains(&self, id: NodeId, part: NodeId) -> bool {
        id == part || self.parts(id).into_iter().any(|inner| self.contains(inner, part))
    }

    /// Has another sample be offered for this value. Returns false if there is none left.
    pub(super) fn next_sample(&mut self, id: NodeId) -> bool {
        let (sample, samples) = match &mut self.0[id] {
            Node::Text(sample) => (sample, TEXTS.len()),
            Node::Integer { sample, .. } => (sample, INTEGERS.len()),
            _ => return false,
        };
        *sample = (*sample + 1) % samples;
        *sample > 0
    }

    /// Returns the shape of this value.
    pub(super) fn shape(&self, id: NodeId) -> Shape {
        let boxed = |id: &NodeId| Box::new(self.shape(*id));
        match &self.0[id] {
            Node::New | Node::Any => Shape::Any,
            Node::Null => Shape::Null,
            Node::Bool => Shape::Bool,
            Node::Integer { bits, is_signed, .. } => Shape::Integer { bits: *bits, is_signed: *is_signed },
            Node::Number => Shape::Number,
            Node::Char => Shape::Text(ShapeFormat::Plain),
            Node::Text(sample) => Shape::Text(TEXTS[*sample].1),
            Node::Bytes => Shape::Bytes,
            Node::Optional(inner) => Shape::Optional(boxed(inner)),
            Node::List(item) => Shape::List(boxed(item)),
            Node::Tuple(parts) => Shape::Tuple(parts.iter().map(|part| self.shape(*part)).collect()),
            Node::Map { value, .. } => Shape::Map(boxed(value)),
            Node::Object => Shape::Object,
            Node::Struct { name, fields } => Shape::Struct {
                name: (*name).to_owned(),
                fields: fields
                    .iter()
                    .filter(|field| !field.is_alias)
                    .map(|field| self.field(field))
                    .collect(),
            },
            Node::Choice { name, variants } => Shape::Choice {
                name: (*name).to_owned(),
                variants: variants
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), self.shape(*value)))
                    .collect(),
            },
            Node::Recursive(name) => Shape::Recursive((*name).to_owned()),
        }
    }

    fn field(&self, field: &FieldNode) -> ShapeField {
        let shape = self.shape(field.value);
        let is_required = field.is_required.unwrap_or(!matches!(shape, Shape::Optional(_)));
        ShapeField { name: field.name.to_owned(), shape, is_required }
    }
}
