//! Values as trees, for display and comparison.

use std::borrow::Cow;
use std::fmt;

use super::token::{Token, TokenReader};
use crate::text;

/// A node of a value's tree.
#[derive(Debug, Clone)]
pub enum Node<'a> {
    /// `()`, or a struct without fields.
    Unit,
    /// The `None` of an option.
    None,
    /// The `Some` of an option.
    Some(Box<Self>),
    /// A boolean.
    Bool(bool),
    /// An unsigned integer of up to 64 bits.
    Uint(u64),
    /// A signed integer of up to 64 bits.
    Int(i64),
    /// An unsigned integer of 128 bits.
    U128(u128),
    /// A signed integer of 128 bits.
    I128(i128),
    /// A 32-bit float.
    F32(f32),
    /// A 64-bit float.
    F64(f64),
    /// A number that no other variant represents exactly, in JSON syntax.
    Number(&'a str),
    /// A character.
    Char(char),
    /// Text.
    Str(&'a str),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A sequence or a tuple.
    Seq(Vec<Self>),
    /// A map, with keys of any kind.
    Map(Vec<(Self, Self)>),
    /// A struct.
    Struct(Vec<(&'a str, Self)>),
    /// A variant of an enum, with its content.
    Variant(&'a str, Option<Box<Self>>),
}

impl<'a> Node<'a> {
    /// Parses tokens that have been checked, so that this cannot fail and recursion is bounded.
    pub(super) fn parse(tokens: &'a [u8]) -> Self {
        let mut tokens = TokenReader::new(tokens);
        Self::next(&mut tokens).unwrap_or(Self::Unit)
    }

    /// Parses the next node. Returns `None` at the end of the container.
    fn next(tokens: &mut TokenReader<'a>) -> Option<Self> {
        Some(match tokens.token().ok()? {
            Token::Unit => Self::Unit,
            Token::None => Self::None,
            Token::Some => Self::Some(Box::new(Self::next(tokens)?)),
            Token::Bool(v) => Self::Bool(v),
            Token::Uint(v) => Self::Uint(v),
            Token::Int(v) => Self::Int(v),
            Token::U128(v) => Self::U128(v),
            Token::I128(v) => Self::I128(v),
            Token::F32(v) => Self::F32(v),
            Token::F64(v) => Self::F64(v),
            Token::Number(v) => Self::Number(v),
            Token::Char(v) => Self::Char(v),
            Token::Str(v) => Self::Str(v),
            Token::Bytes(v) => Self::Bytes(v),
            Token::Seq => Self::Seq(std::iter::from_fn(|| Self::next(tokens)).collect()),
            Token::Map => {
                Self::Map(std::iter::from_fn(|| Some((Self::next(tokens)?, Self::next(tokens)?))).collect())
            }
            Token::Struct => Self::Struct(
                std::iter::from_fn(|| {
                    let name = tokens.field().ok()??;
                    Some((name, Self::next(tokens)?))
                })
                .collect(),
            ),
            Token::UnitVariant(name) => Self::Variant(name, None),
            Token::Variant(name) => Self::Variant(name, Some(Box::new(Self::next(tokens)?))),
            Token::End => return None,
        })
    }

    /// Returns the field of a struct, or the entry of a map whose key is this text.
    pub fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Struct(fields) => fields.iter().find(|(n, _)| *n == name).map(|(_, value)| value),
            Self::Map(entries) => {
                entries.iter().find(|(key, _)| *key == Node::Str(name)).map(|(_, value)| value)
            }
            Self::Some(inner) | Self::Variant(_, Some(inner)) => inner.field(name),
            _ => None,
        }
    }

    /// Returns the bytes of a text, a byte string, or a non-empty sequence of numbers below 256.
    pub fn as_bytes(&self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Str(text) => Some(Cow::Borrowed(text.as_bytes())),
            Self::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
            Self::Seq(items) if !items.is_empty() => items
                .iter()
                .map(|item| match item {
                    Self::Uint(n) => u8::try_from(*n).ok(),
                    _ => None,
                })
                .collect::<Option<Vec<u8>>>()
                .map(Cow::Owned),
            _ => None,
        }
    }

    /// Returns true if the node has no children. A sequence of numbers below 256 counts as a byte string, and so as a
    /// leaf.
    pub(crate) fn is_leaf(&self) -> bool {
        match self {
            Self::Some(_) | Self::Map(_) | Self::Struct(_) | Self::Variant(..) => false,
            Self::Seq(_) => self.as_bytes().is_some(),
            _ => true,
        }
    }

    /// Calls `f` with each child and its name, if it has one: the name of a field or variant, the key of an entry if it
    /// is text, or the first half of a pair if it is text. Returns true if the node has children.
    pub(crate) fn for_each_child(&self, f: &mut dyn FnMut(&Self, Option<&str>)) -> bool {
        if self.is_leaf() {
            return false;
        }
        match self {
            Self::Some(inner) => f(inner, None),
            Self::Variant(name, Some(inner)) => f(inner, Some(name)),
            Self::Map(entries) => {
                for (key, value) in entries {
                    f(key, None);
                    f(value, key.as_str());
                }
            }
            Self::Struct(fields) => {
                fields.iter().for_each(|(name, value)| f(value, Some(self.name_of_field(name))));
            }
            Self::Seq(items) => {
                items.iter().enumerate().for_each(|(at, item)| f(item, self.name_of_item(at)));
            }
            _ => {}
        }
        true
    }

    /// Returns the name that describes the value of a field. In `{name: "x-api-key", value: ".."}`, this is the content
    /// of the sibling field.
    pub(crate) fn name_of_field<'n>(&'n self, name: &'n str) -> &'n str {
        let sibling = || ["name", "key"].iter().find_map(|name| self.field(name)?.as_str());
        if name == "value" { sibling().unwrap_or(name) } else { name }
    }

    /// Returns the name that describes the second half of a pair: the first half, if it is text.
    pub(crate) fn name_of_item(&self, at: usize) -> Option<&str> {
        match self {
            Self::Seq(items) if at == 1 && items.len() == 2 => match &items[0] {
                // Longer text is not a name but, for example, a statement before its parameters.
                Self::Str(name) if name.len() <= 64 && !name.contains([' ', '\n']) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// Calls `f` with every text and number in the tree, as bytes, including the keys of maps.
    pub fn for_each_text(&self, f: &mut dyn FnMut(&[u8])) {
        if let Some(bytes) = self.as_bytes() {
            return f(&bytes);
        }
        match self {
            Self::Some(inner) | Self::Variant(_, Some(inner)) => inner.for_each_text(f),
            Self::Seq(items) => items.iter().for_each(|item| item.for_each_text(f)),
            Self::Map(entries) => entries.iter().for_each(|(key, value)| {
                key.for_each_text(f);
                value.for_each_text(f);
            }),
            Self::Struct(fields) => fields.iter().for_each(|(_, value)| value.for_each_text(f)),
            Self::Uint(n) => f(n.to_string().as_bytes()),
            Self::Int(n) => f(n.to_string().as_bytes()),
            Self::U128(n) => f(n.to_string().as_bytes()),
            Self::I128(n) => f(n.to_string().as_bytes()),
            Self::Number(n) => f(n.as_bytes()),
            _ => {}
        }
    }

    /// Returns the text of a string, or the name of a variant without content.
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::Str(text) | Self::Variant(text, None) => Some(text),
            Self::Some(inner) => inner.as_str(),
            _ => None,
        }
    }
}

/// Compares floats by their bits: NaN equals NaN, and -0.0 differs from 0.0. Two trees are therefore equal exactly if
/// their tokens are.
impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unit, Self::Unit) | (Self::None, Self::None) => true,
            (Self::Some(a), Self::Some(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Uint(a), Self::Uint(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::U128(a), Self::U128(b)) => a == b,
            (Self::I128(a), Self::I128(b)) => a == b,
            (Self::F32(a), Self::F32(b)) => a.to_bits() == b.to_bits(),
            (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits(),
            (Self::Char(a), Self::Char(b)) => a == b,
            (Self::Number(a), Self::Number(b)) | (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Seq(a), Self::Seq(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Struct(a), Self::Struct(b)) => a == b,
            (Self::Variant(a, inner_a), Self::Variant(b, inner_b)) => a == b && inner_a == inner_b,
            _ => false,
        }
    }
}

/// Writes the value for a person on one line, safe for a terminal: `{sub: "user-123", roles: ["admin"]}`.
impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit => f.write_str("()"),
            Self::None => f.write_str("none"),
            Self::Some(inner) => inner.fmt(f),
            Self::Bool(v) => v.fmt(f),
            Self::Uint(v) => v.fmt(f),
            Self::Int(v) => v.fmt(f),
            Self::U128(v) => v.fmt(f),
            Self::I128(v) => v.fmt(f),
            Self::F32(v) => fmt::Debug::fmt(v, f),
            Self::F64(v) => fmt::Debug::fmt(v, f),
            Self::Number(v) => f.write_str(v),
            Self::Char(v) => write!(f, "'{}'", text::clean(v.encode_utf8(&mut [0; 4]))),
            Self::Str(v) => write!(f, "\"{}\"", text::clean(v)),
            Self::Bytes(v) => write!(f, "b\"{}\"", text::clean_bytes(v)),
            Self::Seq(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Map(entries) => {
                f.write_str("{")?;
                for (at, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if at > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
            Self::Struct(fields) => {
                f.write_str("{")?;
                for (at, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}{}: {value}", if at > 0 { ", " } else { "" }, text::clean(name))?;
                }
                f.write_str("}")
            }
            Self::Variant(name, None) => f.write_str(&text::clean(name)),
            Self::Variant(name, Some(inner)) => match &**inner {
                Self::Struct(_) | Self::Map(_) => write!(f, "{} {inner}", text::clean(name)),
                _ => write!(f, "{}({inner})", text::clean(name)),
            },
        }
    }
}
