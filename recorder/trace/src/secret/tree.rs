//! The search for secrets in values: names of fields, keys of maps, variants of enums, pairs, and the texts within.

use std::ops::Range;

use super::name::{Said, is_plural};
use super::scan::child;
use super::{Origin, Rule, merged, replaced, shape};
use crate::value::{Encoder, Node, ValueError};

/// Where a part of a value stands.
#[derive(Debug, Clone, Copy, Default)]
struct Under {
    said: Said,
    /// The nearest name is in the plural.
    is_plural: bool,
}

/// What is done with the secrets that are found.
pub trait Masks {
    /// What stands in the place of a secret.
    fn mask(&self, secret: &[u8]) -> String;

    /// Where else secrets are in a text; those of the rule are found already.
    fn more(&self, _text: &[u8]) -> Vec<Range<usize>> {
        Vec::new()
    }
}

impl Rule {
    /// Calls `found` with each secret in a value, as bytes.
    pub fn secrets_of(&self, node: &Node<'_>, origin: Origin, found: &mut dyn FnMut(&[u8])) {
        self.visit(node, Under::default(), origin, found);
    }

    /// What a secret is in a value whose path these names are.
    pub fn is_under<S: AsRef<str>>(&self, path: &[S]) -> bool {
        let said = path.iter().fold(Said::Nothing, |said, name| self.below(said, name.as_ref()));
        said != Said::Nothing
    }

    fn below(&self, said: Said, name: &str) -> Said {
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
        origin: Origin,
        masks: &dyn Masks,
    ) -> Result<(), ValueError> {
        let said = path.iter().fold(Said::Nothing, |said, name| self.below(said, name.as_ref()));
        let is_plural = path.last().is_some_and(|name| is_plural(name.as_ref().as_bytes()));
        encoder.node_under(
            node,
            Under { said, is_plural },
            &|under, name| self.under(under, name),
            &mut |under, leaf| self.masked_leaf(leaf, under, origin, masks),
        )
    }

    fn under(&self, under: Under, name: &str) -> Under {
        Under { said: self.below(under.said, name), is_plural: is_plural(name.as_bytes()) }
    }

    fn visit(&self, node: &Node<'_>, under: Under, origin: Origin, found: &mut dyn FnMut(&[u8])) {
        let mut each = |child: &Node<'_>, name: Option<&str>| {
            let under = name.map_or(under, |name| self.under(under, name));
            self.visit(child, under, origin, found);
        };
        if node.each_child(&mut each) {
            return;
        }
        match self.leaf(node, under, origin) {
            Leaf::Whole(bytes) => found(&bytes),
            Leaf::Parts(bytes, spans) => spans.into_iter().for_each(|span| found(&bytes[span])),
            Leaf::Clear => {}
        }
    }

    fn leaf<'n>(&self, node: &Node<'n>, under: Under, origin: Origin) -> Leaf<'n> {
        let is_secret = under.said != Said::Nothing;
        if let Some(bytes) = node.as_bytes() {
            return match is_secret {
                true if shape::is_visible(&bytes, origin) => Leaf::Clear,
                true => Leaf::Whole(bytes),
                false => match self.spans(&bytes, origin) {
                    spans if spans.is_empty() => Leaf::Clear,
                    spans => Leaf::Parts(bytes, spans),
                },
            };
        }
        if !is_secret || under.is_plural {
            return Leaf::Clear;
        }
        let small = |n: u128| origin == Origin::Service && n < u128::from(shape::SMALL);
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
        origin: Origin,
        masks: &dyn Masks,
    ) -> Option<String> {
        let (bytes, spans) = match self.leaf(node, under, origin) {
            Leaf::Whole(bytes) => return Some(masks.mask(&bytes)),
            Leaf::Parts(bytes, spans) => (bytes, spans),
            Leaf::Clear => (node.as_bytes()?, Vec::new()),
        };
        let more = masks.more(&bytes);
        if spans.is_empty() && more.is_empty() {
            return None;
        }
        let spans = if more.is_empty() { spans } else { merged(spans.into_iter().chain(more).collect()) };
        Some(replaced(&bytes, &spans, |secret| masks.mask(secret)))
    }
}

enum Leaf<'n> {
    Clear,
    Whole(std::borrow::Cow<'n, [u8]>),
    Parts(std::borrow::Cow<'n, [u8]>, Vec<Range<usize>>),
}
