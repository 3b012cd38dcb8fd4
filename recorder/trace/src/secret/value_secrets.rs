//! Secrets in values: found by the names of fields, keys, variants and pairs, and in the texts of the value.

use std::borrow::Cow;
use std::ops::Range;

use super::names::{Sensitivity, child, is_credentials_header, is_plural};
use super::{Author, Rule, is_scheme, merge_spans, placeholder, replace_spans};
use crate::value::{Encoder, Node, ValueError};

/// Position of a node in a value.
#[derive(Debug, Clone, Copy, Default)]
struct Position {
    sensitivity: Sensitivity,
    /// True if the nearest name is plural.
    is_plural: bool,
    /// True if the nearest name is that of a header with a scheme before its credentials.
    is_header: bool,
}

impl Position {
    fn under_name(sensitivity: Sensitivity, name: &str) -> Self {
        let name = name.as_bytes();
        Self { sensitivity, is_plural: is_plural(name), is_header: is_credentials_header(name) }
    }
}

/// Treatment of the secrets that are found.
pub trait Masker {
    /// Returns the replacement of a secret.
    fn mask(&self, secret: &[u8]) -> String;

    /// Returns the spans of further secrets in a text, in addition to those that the rule finds.
    fn extra_spans(&self, _text: &[u8]) -> Vec<Range<usize>> {
        Vec::new()
    }
}

impl Rule {
    /// Calls `found` with each secret in a value.
    pub fn secrets_of(&self, node: &Node<'_>, author: Author, found: &mut dyn FnMut(&[u8])) {
        self.visit(node, Position::default(), author, found);
    }

    /// Calls `found` with each secret in the part of a value at `path`.
    pub fn secrets_under<S: AsRef<str>>(
        &self,
        node: &Node<'_>,
        path: &[S],
        author: Author,
        found: &mut dyn FnMut(&[u8]),
    ) {
        self.visit(node, self.position(path), author, found);
    }

    fn position<S: AsRef<str>>(&self, path: &[S]) -> Position {
        let is_index = |name: &&str| name.bytes().all(|b| b.is_ascii_digit());
        let last = path.iter().map(AsRef::as_ref).rev().find(|name| !is_index(name));
        Position::under_name(self.sensitivity_at(path), last.unwrap_or_default())
    }

    /// Returns true if the names on a path mark the value at its end as a secret.
    pub fn is_under<S: AsRef<str>>(&self, path: &[S]) -> bool {
        self.sensitivity_at(path) != Sensitivity::NotSecret
    }

    fn sensitivity_at<S: AsRef<str>>(&self, path: &[S]) -> Sensitivity {
        path.iter().fold(Sensitivity::NotSecret, |parent, name| self.sensitivity_below(parent, name.as_ref()))
    }

    fn sensitivity_below(&self, parent: Sensitivity, name: &str) -> Sensitivity {
        // An index in a list is not a name; the name of the list counts.
        if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) {
            return parent;
        }
        child(self.name(name), name.as_bytes(), parent)
    }

    /// Writes the value at `path` with its secrets masked.
    ///
    /// # Errors
    /// The value is too deep or too long.
    pub fn write_masked<S: AsRef<str>>(
        &self,
        encoder: &mut Encoder,
        node: &Node<'_>,
        path: &[S],
        author: Author,
        masks: &dyn Masker,
    ) -> Result<(), ValueError> {
        let below = |position, name: &str| self.position_below(position, name);
        encoder.node_under(node, self.position(path), &below, &mut |position, leaf| {
            self.masked_leaf(leaf, position, author, masks)
        })
    }

    fn position_below(&self, position: Position, name: &str) -> Position {
        Position::under_name(self.sensitivity_below(position.sensitivity, name), name)
    }

    fn visit(&self, node: &Node<'_>, position: Position, author: Author, found: &mut dyn FnMut(&[u8])) {
        let mut each = |child: &Node<'_>, name: Option<&str>| {
            let position = name.map_or(position, |name| self.position_below(position, name));
            self.visit(child, position, author, found);
        };
        if node.for_each_child(&mut each) {
            return;
        }
        match self.leaf(node, position, author) {
            Leaf::Whole(bytes) => found(&bytes),
            Leaf::Parts(spans, bytes) => spans.into_iter().for_each(|span| found(&bytes[span])),
            Leaf::Clear => {}
        }
    }

    fn leaf<'n>(&self, node: &Node<'n>, position: Position, author: Author) -> Leaf<'n> {
        let is_secret = position.sensitivity != Sensitivity::NotSecret;
        if let Some(bytes) = node.as_bytes() {
            let start = if position.is_header { after_scheme(&bytes) } else { 0 };
            return match is_secret {
                true if placeholder::is_visible(&bytes, author) => Leaf::Clear,
                true if start > 0 => Leaf::Parts(std::iter::once(start..bytes.len()).collect(), bytes),
                true => Leaf::Whole(bytes),
                false => match self.spans(&bytes, author) {
                    spans if spans.is_empty() => Leaf::Clear,
                    spans => Leaf::Parts(spans, bytes),
                },
            };
        }
        if !is_secret || position.is_plural {
            return Leaf::Clear;
        }
        let is_small = |n: u128| author == Author::Service && n < u128::from(placeholder::SMALL);
        let text = match *node {
            Node::Uint(n) if !is_small(n.into()) => n.to_string(),
            Node::U128(n) if !is_small(n) => n.to_string(),
            Node::Int(n) if !is_small(n.unsigned_abs().into()) => n.to_string(),
            Node::I128(n) if !is_small(n.unsigned_abs()) => n.to_string(),
            _ => return Leaf::Clear,
        };
        Leaf::Whole(text.into_bytes().into())
    }

    fn masked_leaf(
        &self,
        node: &Node<'_>,
        position: Position,
        author: Author,
        masks: &dyn Masker,
    ) -> Option<String> {
        let (bytes, spans) = match self.leaf(node, position, author) {
            Leaf::Whole(bytes) => return Some(masks.mask(&bytes)),
            Leaf::Parts(spans, bytes) => (bytes, spans),
            Leaf::Clear => (node.as_bytes()?, Vec::new()),
        };
        let extra = masks.extra_spans(&bytes);
        if spans.is_empty() && extra.is_empty() {
            return None;
        }
        let spans =
            if extra.is_empty() { spans } else { merge_spans(spans.into_iter().chain(extra).collect()) };
        Some(replace_spans(&bytes, &spans, |secret| masks.mask(secret)))
    }
}

/// Secrets in a leaf of a value.
enum Leaf<'n> {
    Clear,
    Whole(Cow<'n, [u8]>),
    Parts(Vec<Range<usize>>, Cow<'n, [u8]>),
}

/// Returns the index of the credentials after their scheme, or 0 without a scheme.
fn after_scheme(value: &[u8]) -> usize {
    let space = value.iter().position(|&b| b == b' ').filter(|&at| is_scheme(&value[..at]));
    space.map_or(0, |at| at + 1)
}
