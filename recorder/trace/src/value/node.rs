//! A value as a tree, for whoever shows or compares it.

use std::borrow::Cow;
use std::fmt;

use super::token::{Cursor, Token};
use crate::text;

/// A part of a value.
#[derive(Debug, Clone)]
pub enum Node<'a> {
    /// `()`, or a struct without fields.
    Unit,
    /// An option without a value.
    None,
    /// An option with one.
    Some(Box<Self>),
    /// A truth value.
    Bool(bool),
    /// An unsigned number of up to 64 bits.
    Uint(u64),
    /// A signed number of up to 64 bits.
    Int(i64),
    /// An unsigned number of 128 bits.
    U128(u128),
    /// A signed number of 128 bits.
    I128(i128),
    /// A float of 32 bits.
    F32(f32),
    /// A float of 64 bits.
    F64(f64),
    /// A number that none of the above holds exactly, as JSON writes it.
    Number(&'a str),
    /// A character.
    Char(char),
    /// Text.
    Str(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A sequence or a tuple.
    Seq(Vec<Self>),
    /// A map; its keys are values of any kind.
    Map(Vec<(Self, Self)>),
    /// A struct.
    Struct(Vec<(&'a str, Self)>),
    /// A variant of an enum, with what it holds.
    Variant(&'a str, Option<Box<Self>>),
}

impl<'a> Node<'a> {
    /// Reads tokens which have been checked, so that this cannot fail and recursion is bounded.
    pub(super) fn parse(tokens: &'a [u8]) -> Self {
        let mut cursor = Cursor::new(tokens);
        Self::next(&mut cursor).unwrap_or(Self::Unit)
    }

    /// The next value; none at the end of what holds it.
    fn next(cursor: &mut Cursor<'a>) -> Option<Self> {
        Some(match cursor.token().ok()? {
            Token::Unit => Self::Unit,
            Token::None => Self::None,
            Token::Some => Self::Some(Box::new(Self::next(cursor)?)),
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
            Token::Seq => Self::Seq(std::iter::from_fn(|| Self::next(cursor)).collect()),
            Token::Map => {
                Self::Map(std::iter::from_fn(|| Some((Self::next(cursor)?, Self::next(cursor)?))).collect())
            }
            Token::Struct => Self::Struct(
                std::iter::from_fn(|| {
                    let name = cursor.field().ok()??;
                    Some((name, Self::next(cursor)?))
                })
                .collect(),
            ),
            Token::UnitVariant(name) => Self::Variant(name, None),
            Token::Variant(name) => Self::Variant(name, Some(Box::new(Self::next(cursor)?))),
            Token::End => return None,
        })
    }

    /// The field of a struct, or the entry of a map with this text as its key.
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

    /// Its bytes, if it is text, bytes, or a sequence of numbers that are all below 256.
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

    /// Whether it has no parts that have names or places; a sequence of numbers that are bytes has none.
    pub(crate) fn is_leaf(&self) -> bool {
        match self {
            Self::Some(_) | Self::Map(_) | Self::Struct(_) | Self::Variant(..) => false,
            Self::Seq(_) => self.as_bytes().is_some(),
            _ => true,
        }
    }

    /// Calls `f` with each part of it, and the name that it stands under, if it has one of its own: that of a field, of an
    /// entry with a text for a key, of a variant, and of the second half of a pair whose first one is a text. Says whether
    /// it has parts.
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

    /// What the value of a field is named after: in `{name: "x-api-key", value: ".."}`, what is beside it.
    pub(crate) fn name_of_field<'n>(&'n self, name: &'n str) -> &'n str {
        let beside = || ["name", "key"].iter().find_map(|name| self.field(name)?.as_str());
        if name == "value" { beside().unwrap_or(name) } else { name }
    }

    /// The same for the second half of a pair.
    pub(crate) fn name_of_item(&self, at: usize) -> Option<&str> {
        match self {
            Self::Seq(items) if at == 1 && items.len() == 2 => match &items[0] {
                // A longer text, such as a statement before its parameters, is no name.
                Self::Str(name) if name.len() <= 64 && !name.contains([' ', '\n']) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// Tells all texts and numbers in it, as bytes; of a map also the keys.
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

    /// Its text, if it is text or the name of a variant.
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::Str(text) | Self::Variant(text, None) => Some(text),
            Self::Some(inner) => inner.as_str(),
            _ => None,
        }
    }
}

/// Floats are compared by their bits: NaN equals NaN, and -0.0 differs from 0.0. So a tree equals another exactly when
/// their tokens do.
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

/// For eyes, on one line, safe for a terminal: `{sub: "user-123", roles: ["admin"]}`.
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
