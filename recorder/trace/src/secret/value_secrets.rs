//! The search for secrets in values: names of fields, keys of maps, variants of enums, pairs, and the texts within.

use std::ops::Range;

use super::scan::{child, is_scheme};
use super::sensitive_names::{Sensitivity, is_credentials_header, is_plural};
use super::{Author, Rule, merge_spans, placeholder, replace_spans};
use crate::value::{Encoder, Node, ValueError};

/// Where a part of a value stands.
#[derive(Debug, Clone, Copy, Default)]
struct Under {
    said: Sensitivity,
    /// The nearest name is in the plural.
    is_plural: bool,
    /// It is that of a header which has a scheme before its credentials.
    is_header: bool,
}

impl Under {
    fn a_name(said: Sensitivity, name: &str) -> Self {
        let name = name.as_bytes();
        Self { said, is_plural: is_plural(name), is_header: is_credentials_header(name) }
    }
}

/// What is done with the secrets that are found.
pub trait Masker {
    /// What stands in the place of a secret.
    fn mask(&self, secret: &[u8]) -> String;

    /// Where else secrets are in a text; those of the rule are found already.
    fn more(&self, _text: &[u8]) -> Vec<Range<usize>> {
        Vec::new()
    }
}

impl Rule {
    /// Calls `found` with each secret in a value, as bytes.
    pub fn secrets_of(&self, node: &Node<'_>, author: Author, found: &mut dyn FnMut(&[u8])) {
        self.visit(node, Under::default(), author, found);
    }

    /// The same for a part of a value to which `path` leads.
    pub fn secrets_under<S: AsRef<str>>(
        &self,
        node: &Node<'_>,
        path: &[S],
        author: Author,
        found: &mut dyn FnMut(&[u8]),
    ) {
        self.visit(node, self.place(path), author, found);
    }

    fn place<S: AsRef<str>>(&self, path: &[S]) -> Under {
        let said = path.iter().fold(Sensitivity::NotSecret, |said, name| self.below(said, name.as_ref()));
        let is_number = |name: &&str| name.bytes().all(|b| b.is_ascii_digit());
        let last = path.iter().map(AsRef::as_ref).rev().find(|name| !is_number(name));
        Under::a_name(said, last.unwrap_or_default())
    }

    /// Whether what stands at the end of a path may be a secret because of the names on it.
    pub fn is_under<S: AsRef<str>>(&self, path: &[S]) -> bool {
        let said = path.iter().fold(Sensitivity::NotSecret, |said, name| self.below(said, name.as_ref()));
        said != Sensitivity::NotSecret
    }

    fn below(&self, said: Sensitivity, name: &str) -> Sensitivity {
        // A place in a list has the name of the list.
        if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) {
            return said;
        }
        child(self.name(name), name.as_bytes(), said)
    }

    /// Writes a value with the secrets in it masked; `path` leads to it.
    ///
    /// # Errors
    /// That it is too deep or too long.
    pub fn write_masked<S: AsRef<str>>(
        &self,
        encoder: &mut Encoder,
        node: &Node<'_>,
        path: &[S],
        author: Author,
        masks: &dyn Masker,
    ) -> Result<(), ValueError> {
        let place = self.place(path);
        encoder.node_under(node, place, &|under, name| self.under(under, name), &mut |under, leaf| {
            self.masked_leaf(leaf, under, author, masks)
        })
    }

    fn under(&self, under: Under, name: &str) -> Under {
        Under::a_name(self.below(under.said, name), name)
    }

    fn visit(&self, node: &Node<'_>, under: Under, author: Author, found: &mut dyn FnMut(&[u8])) {
        let mut each = |child: &Node<'_>, name: Option<&str>| {
            let under = name.map_or(under, |name| self.under(under, name));
            self.visit(child, under, author, found);
        };
        if node.for_each_child(&mut each) {
            return;
        }
        match self.leaf(node, under, author) {
            Leaf::Whole(bytes) => found(&bytes),
            Leaf::Parts(spans, bytes) => spans.into_iter().for_each(|span| found(&bytes[span])),
            Leaf::Clear => {}
        }
    }

    fn leaf<'n>(&self, node: &Node<'n>, under: Under, author: Author) -> Leaf<'n> {
        let is_secret = under.said != Sensitivity::NotSecret;
        if let Some(bytes) = node.as_bytes() {
            let start = if under.is_header { after_scheme(&bytes) } else { 0 };
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
        if !is_secret || under.is_plural {
            return Leaf::Clear;
        }
        let small = |n: u128| author == Author::Service && n < u128::from(placeholder::SMALL);
        let text = match *node {
            Node::Uint(n) if !small(n.into()) => n.to_string(),
            Node::U128(n) if !small(n) => n.to_string(),
            Node::Int(n) if !small(n.unsigned_abs().into()) => n.to_string(),
            Node::I128(n) if !small(n.unsigned_abs()) => n.to_string(),
            _ => return Leaf::Clear,
        };
        Leaf::Whole(text.into_bytes().into())
    }

    fn masked_leaf(
        &self,
        node: &Node<'_>,
        under: Under,
        author: Author,
        masks: &dyn Masker,
    ) -> Option<String> {
        let (bytes, spans) = match self.leaf(node, under, author) {
            Leaf::Whole(bytes) => return Some(masks.mask(&bytes)),
            Leaf::Parts(spans, bytes) => (bytes, spans),
            Leaf::Clear => (node.as_bytes()?, Vec::new()),
        };
        let more = masks.more(&bytes);
        if spans.is_empty() && more.is_empty() {
            return None;
        }
        let spans =
            if more.is_empty() { spans } else { merge_spans(spans.into_iter().chain(more).collect()) };
        Some(replace_spans(&bytes, &spans, |secret| masks.mask(secret)))
    }
}

enum Leaf<'n> {
    Clear,
    Whole(std::borrow::Cow<'n, [u8]>),
    Parts(Vec<Range<usize>>, std::borrow::Cow<'n, [u8]>),
}

/// Where credentials begin after their scheme; 0 where there is none.
fn after_scheme(value: &[u8]) -> usize {
    let space = value.iter().position(|&b| b == b' ').filter(|&at| is_scheme(&value[..at]));
    space.map_or(0, |at| at + 1)
}
