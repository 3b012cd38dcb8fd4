//! The encoder of values. The serde interface to it is in `serializer`.

use serde::Serialize;

use super::token::{self, MAX_NAME};
use super::{MAX_DEPTH, MAX_LEN, Node, Value, ValueError};

/// Encoder of one value.
#[derive(Debug, Default)]
pub struct Encoder {
    pub(super) out: Vec<u8>,
    pub(super) depth: usize,
    /// True if the next bytes are the tokens of a value.
    pub(super) is_next_tokens: bool,
}

impl Encoder {
    /// Creates an empty encoder.
    pub fn new() -> Self {
        Self { out: Vec::with_capacity(64), depth: 0, is_next_tokens: false }
    }

    /// Writes a serializable value.
    ///
    /// # Errors
    /// An error from its `Serialize`, or the value is too deep or too long.
    pub fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        value.serialize(self)
    }

    /// Writes a byte string.
    ///
    /// # Errors
    /// The value is too long.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), ValueError> {
        self.sized(token::BYTES, bytes)
    }

    /// Writes the enum variant of this name. `write` writes its content, which is one value.
    ///
    /// # Errors
    /// An error from `write`, or the value is too deep or too long.
    pub fn variant_of(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut Self) -> Result<(), ValueError>,
    ) -> Result<(), ValueError> {
        self.variant(name)?;
        write(self)?;
        self.depth -= 1;
        Ok(())
    }

    /// Writes an encoded value.
    ///
    /// # Errors
    /// The value is too deep or too long.
    pub fn value(&mut self, value: &Value) -> Result<(), ValueError> {
        self.splice(value.tokens())
    }

    pub(super) fn splice(&mut self, tokens: &[u8]) -> Result<(), ValueError> {
        self.fits(tokens.len())?;
        token::check_within(tokens, MAX_DEPTH - self.depth)?;
        self.out.extend_from_slice(tokens);
        Ok(())
    }

    /// Writes a tree. Each text and byte string for which `replace` returns a text is replaced by that text.
    ///
    /// # Errors
    /// The value is too deep or too long.
    pub fn node(
        &mut self,
        node: &Node<'_>,
        replace: &mut dyn FnMut(&[u8]) -> Option<String>,
    ) -> Result<(), ValueError> {
        self.node_under(node, (), &|(), _| (), &mut |(), leaf| {
            leaf.as_bytes().and_then(|bytes| replace(&bytes))
        })
    }

    /// Writes a tree. Each leaf for which `replace` returns a text is replaced by that text. `place` describes the
    /// position of the node, and `named` derives the place of a child from its name, as in [`Node::for_each_child`].
    ///
    /// # Errors
    /// The value is too deep or too long.
    pub(crate) fn node_under<P: Copy>(
        &mut self,
        node: &Node<'_>,
        place: P,
        named: &dyn Fn(P, &str) -> P,
        replace: &mut dyn FnMut(P, &Node<'_>) -> Option<String>,
    ) -> Result<(), ValueError> {
        let below = |name: Option<&str>| name.map_or(place, |name| named(place, name));
        match node {
            Node::Unit => self.tag(token::UNIT),
            Node::None => self.tag(token::NONE),
            Node::Some(inner) => {
                self.open(token::SOME)?;
                self.node_under(inner, place, named, replace)?;
                self.depth -= 1;
                Ok(())
            }
            Node::Map(entries) => {
                self.open(token::MAP)?;
                for (key, value) in entries {
                    self.node_under(key, place, named, replace)?;
                    self.node_under(value, below(key.as_str()), named, replace)?;
                }
                self.end_container()
            }
            Node::Struct(fields) => {
                self.open(token::STRUCT)?;
                for (name, value) in fields {
                    self.name(name)?;
                    self.node_under(value, below(Some(node.name_of_field(name))), named, replace)?;
                }
                self.end_container()
            }
            Node::Variant(name, None) => {
                self.tag(token::UNIT_VARIANT)?;
                self.name(name)
            }
            Node::Variant(name, Some(inner)) => {
                self.variant_of(name, |out| out.node_under(inner, below(Some(name)), named, replace))
            }
            leaf if leaf.is_leaf() => match replace(place, leaf) {
                Some(other) => self.put(&other),
                None => self.leaf(leaf),
            },
            Node::Seq(items) => {
                self.open(token::SEQ)?;
                for (at, item) in items.iter().enumerate() {
                    self.node_under(item, below(node.name_of_item(at)), named, replace)?;
                }
                self.end_container()
            }
            leaf => self.leaf(leaf),
        }
    }

    fn leaf(&mut self, leaf: &Node<'_>) -> Result<(), ValueError> {
        match leaf {
            Node::Bool(v) => self.put(v),
            Node::Uint(v) => self.put(v),
            Node::Int(v) => self.put(v),
            Node::U128(v) => self.put(v),
            Node::I128(v) => self.put(v),
            Node::F32(v) => self.put(v),
            Node::F64(v) => self.put(v),
            Node::Number(v) => self.sized(token::NUMBER, v.as_bytes()),
            Node::Char(v) => self.put(v),
            Node::Str(v) => self.put(v),
            Node::Bytes(v) => self.bytes(v),
            Node::Seq(items) => {
                self.open(token::SEQ)?;
                items.iter().try_for_each(|item| self.leaf(item))?;
                self.end_container()
            }
            _ => self.tag(token::UNIT),
        }
    }

    /// Returns the value that was written.
    ///
    /// # Errors
    /// No value was written.
    pub fn finish(self) -> Result<Value, ValueError> {
        debug_assert_eq!(token::check(&self.out), Ok(()));
        if self.out.is_empty() {
            return Err(ValueError::Truncated);
        }
        Ok(Value(self.out.into_boxed_slice()))
    }

    /// Returns a copy of the value that was written.
    ///
    /// # Errors
    /// No value was written.
    pub fn copy(&self) -> Result<Value, ValueError> {
        debug_assert_eq!(token::check(&self.out), Ok(()));
        if self.out.is_empty() {
            return Err(ValueError::Truncated);
        }
        Ok(Value(Box::from(self.out.as_slice())))
    }

    /// Returns the tokens written so far.
    pub fn written(&self) -> &[u8] {
        &self.out
    }

    /// Discards the written tokens, so that the encoder can be reused.
    pub fn clear(&mut self) {
        self.out.clear();
        self.depth = 0;
    }

    pub(super) fn fits(&self, more: usize) -> Result<(), ValueError> {
        if self.out.len() + more > MAX_LEN { Err(ValueError::TooLong) } else { Ok(()) }
    }

    pub(super) fn tag(&mut self, tag: u8) -> Result<(), ValueError> {
        self.fits(1)?;
        self.out.push(tag);
        Ok(())
    }

    pub(super) fn number(&mut self, tag: u8, mut n: u64) -> Result<(), ValueError> {
        self.fits(11)?;
        if n < 0x80 {
            self.out.extend_from_slice(&[tag, n as u8]);
            return Ok(());
        }
        self.out.push(tag);
        while n >= 0x80 {
            self.out.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.out.push(n as u8);
        Ok(())
    }

    pub(super) fn fixed(&mut self, tag: u8, bytes: &[u8]) -> Result<(), ValueError> {
        self.fits(1 + bytes.len())?;
        self.out.push(tag);
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn sized(&mut self, tag: u8, bytes: &[u8]) -> Result<(), ValueError> {
        self.fits(11 + bytes.len())?;
        self.number(tag, bytes.len() as u64)?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn name(&mut self, name: &str) -> Result<(), ValueError> {
        if name.len() > MAX_NAME {
            return Err(ValueError::Malformed("a name of more than 254 bytes"));
        }
        self.fixed(name.len() as u8, name.as_bytes())
    }

    pub(super) fn open(&mut self, tag: u8) -> Result<(), ValueError> {
        self.tag(tag)?;
        self.deeper()
    }

    fn end_container(&mut self) -> Result<(), ValueError> {
        self.depth -= 1;
        self.tag(token::END)
    }

    pub(super) fn deeper(&mut self) -> Result<(), ValueError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(ValueError::TooDeep) } else { Ok(()) }
    }

    pub(super) fn variant(&mut self, name: &str) -> Result<(), ValueError> {
        self.tag(token::VARIANT)?;
        self.name(name)?;
        self.deeper()
    }
}
