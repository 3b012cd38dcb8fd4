//! Keeps secrets out of what is told: what a slot, a sealed value or a name says is secret, and every copy of it.

use std::collections::BTreeSet;

use zerver_trace::value::Encoder;
use zerver_trace::{Answer, Event, Node, Origin, Recorded, Value};

use super::replay::Opened;
use super::report::Seen;

/// What stands in the place of a secret.
const MASK: &str = "<secret>";
/// Shorter secrets are masked only where they stand alone; searched for, they would be found everywhere.
const SEARCHED: usize = 4;
/// The words in a name that say that it names a secret.
const SENSITIVE: [&str; 11] = [
    "authorization",
    "cookie",
    "token",
    "secret",
    "password",
    "passwd",
    "api-key",
    "api_key",
    "apikey",
    "credential",
    "private_key",
];

/// Whether what has this name is secret, as far as a name can tell.
pub(super) fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SENSITIVE.iter().any(|word| name.contains(word))
}

/// All that must not be told.
#[derive(Clone, Default)]
pub(super) struct Mask {
    /// The longest first.
    searched: Vec<Vec<u8>>,
    /// A bit for each byte with which one of them begins: most places of a text are passed over by it.
    begins: [u64; 4],
    short: BTreeSet<Vec<u8>>,
}

impl Mask {
    /// What is secret in a trace.
    pub(super) fn of(opened: &Opened) -> Self {
        let mut mask = Self::default();
        let trace = &opened.trace;
        let bodies = [&trace.target, &trace.request_body.bytes, &trace.response_body.bytes];
        let headers = trace.request_headers.iter().chain(&trace.response_headers);
        bodies.into_iter().for_each(|value| mask.add_recorded(opened, value));
        if let Origin::Named(origin) = &trace.origin {
            mask.add_recorded(opened, origin);
        }
        headers.for_each(|header| mask.add_recorded(opened, &header.value));
        for event in &trace.events {
            match event {
                Event::Wrote { value, .. }
                | Event::Yielded { progress: value, .. }
                | Event::Asked { args: value, .. }
                | Event::Answered { answer: Answer::Ok(value), .. } => mask.add_recorded(opened, value),
                _ => {}
            }
        }
        mask
    }

    fn add_recorded(&mut self, opened: &Opened, recorded: &Recorded) {
        let (Recorded::Sealed { shown, .. }, Ok(plain)) = (recorded, opened.secrets.plain(recorded)) else {
            return;
        };
        match shown {
            None => self.add(&plain.root()),
            Some(shown) => self.add_hidden(&plain.root(), &shown.value.root()),
        }
    }

    /// Every text in a value that is secret as a whole.
    pub(super) fn add(&mut self, node: &Node<'_>) {
        node.each_text(&mut |bytes| self.add_bytes(bytes));
    }

    /// A secret, and the words in it.
    pub(super) fn add_bytes(&mut self, bytes: &[u8]) {
        self.needle(bytes.trim_ascii());
        for word in bytes.split(|byte| b" ;,=".contains(byte)) {
            let is_scheme =
                [&b"bearer"[..], b"basic", b"digest"].iter().any(|s| word.eq_ignore_ascii_case(s));
            if word.len() >= 6 && !is_scheme {
                self.needle(word);
            }
        }
    }

    fn needle(&mut self, bytes: &[u8]) {
        if bytes.len() < SEARCHED {
            if !bytes.is_empty() {
                self.short.insert(bytes.to_vec());
            }
        } else if !self.searched.iter().any(|known| known == bytes) {
            self.begins[usize::from(bytes[0] >> 6)] |= 1 << (bytes[0] & 63);
            self.searched.push(bytes.to_vec());
            self.searched.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        }
    }

    /// What the masks of a shown value hide.
    fn add_hidden(&mut self, plain: &Node<'_>, shown: &Node<'_>) {
        match (plain, shown) {
            (Node::Some(a), Node::Some(b)) | (Node::Variant(_, Some(a)), Node::Variant(_, Some(b))) => {
                self.add_hidden(a, b);
            }
            (Node::Seq(a), Node::Seq(b)) if a.len() == b.len() => {
                std::iter::zip(a, b).for_each(|(a, b)| self.add_hidden(a, b));
            }
            (Node::Struct(a), Node::Struct(b)) if a.len() == b.len() => {
                std::iter::zip(a, b).for_each(|((_, a), (_, b))| self.add_hidden(a, b));
            }
            (Node::Map(a), Node::Map(b)) if a.len() == b.len() => {
                for ((key, value), (shown_key, shown_value)) in std::iter::zip(a, b) {
                    self.add_hidden(key, shown_key);
                    self.add_hidden(value, shown_value);
                }
            }
            (a, b) if a == b => {}
            (a, b) => match (a.as_bytes(), b.as_bytes()) {
                (Some(plain), Some(shown)) => self.add_between(&plain, &shown),
                _ => self.add(a),
            },
        }
    }

    /// What the masks in a text stand for.
    fn add_between(&mut self, plain: &[u8], shown: &[u8]) {
        let shown = String::from_utf8_lossy(shown);
        let mut parts = shown.split("<secret:");
        let Some(first) = parts.next() else { return };
        let Some(mut rest) = plain.strip_prefix(first.as_bytes()) else { return self.add_bytes(plain) };
        let mut parts = parts.peekable();
        while let Some(part) = parts.next() {
            let after = part.split_once('>').map_or("", |(_, after)| after).as_bytes();
            let end = match parts.peek() {
                None => rest.len().checked_sub(after.len()).filter(|&at| rest.ends_with(after) || at == 0),
                Some(_) if after.is_empty() => None,
                Some(_) => rest.windows(after.len()).position(|window| window == after),
            };
            let Some(end) = end else { return self.add_bytes(rest) };
            self.needle(&rest[..end]);
            rest = &rest[(end + after.len()).min(rest.len())..];
        }
    }

    /// The text without secrets; none if there are none in it.
    fn masked(&self, bytes: &[u8]) -> Option<String> {
        if self.short.contains(bytes) {
            return Some(MASK.to_owned());
        }
        let (mut out, mut rest) = (Vec::new(), bytes);
        while let Some((at, needle)) = self.first(rest) {
            out.extend_from_slice(&rest[..at]);
            out.extend_from_slice(MASK.as_bytes());
            rest = &rest[at + needle.len()..];
        }
        if rest.len() == bytes.len() {
            return None;
        }
        out.extend_from_slice(rest);
        Some(String::from_utf8_lossy(&out).into_owned())
    }

    /// The first place of a secret in a text, and the longest that is there.
    fn first(&self, bytes: &[u8]) -> Option<(usize, &[u8])> {
        let may_begin = |byte: u8| self.begins[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1;
        let mut places = (0..bytes.len()).filter(|at| may_begin(bytes[*at]));
        places.find_map(|at| {
            let needle = self.searched.iter().find(|needle| bytes[at..].starts_with(needle))?;
            Some((at, needle.as_slice()))
        })
    }

    /// A text that may be told.
    pub(super) fn text(&self, text: &str) -> String {
        self.masked(text.as_bytes()).unwrap_or_else(|| text.to_owned())
    }

    /// A part of a value that may be told; `path` leads to it.
    pub(super) fn side(&self, node: &Node<'_>, path: &[String]) -> Seen {
        if path.iter().any(|part| is_sensitive(part)) {
            return Seen::Secret;
        }
        let mut encoder = Encoder::new();
        let written = encoder.node(node, &mut |bytes| self.masked(bytes));
        match written.and_then(|()| encoder.finish()) {
            Ok(value) => Seen::Value(value),
            Err(error) => Seen::text(error.to_string()),
        }
    }

    /// A value that may be told.
    pub(super) fn value(&self, value: &Value) -> Seen {
        self.side(&value.root(), &[])
    }

    /// A body that may be told: in JSON, also what has the name of a secret is masked.
    pub(super) fn body(&self, text: &str) -> String {
        let mut json = match serde_json::from_str::<serde_json::Value>(text) {
            Ok(json) => json,
            Err(_) => return self.text(text),
        };
        let text = if hide_named(&mut json) { json.to_string() } else { text.to_owned() };
        self.text(&text)
    }
}

/// Says whether there was anything to hide.
fn hide_named(json: &mut serde_json::Value) -> bool {
    let mut any = false;
    match json {
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| any |= hide_named(item)),
        serde_json::Value::Object(entries) => {
            for (name, value) in entries {
                if is_sensitive(name) && (value.is_string() || value.is_number()) {
                    *value = MASK.into();
                    any = true;
                } else {
                    any |= hide_named(value);
                }
            }
        }
        _ => {}
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_copy_of_a_secret_is_masked_the_longest_first() {
        let mut mask = Mask::default();
        for secret in ["abcd", "abcdef", "\u{e4}\u{f6}\u{fc}", "x"] {
            mask.add_bytes(secret.as_bytes());
        }
        for (text, wanted) in [
            ("", ""),
            ("abc", "abc"),
            ("abcd", "<secret>"),
            ("aabcdefabcd", "a<secret><secret>"),
            ("abcdeabcabcdef", "<secret>eabc<secret>"),
            ("\u{e4}\u{f6} \u{e4}\u{f6}\u{fc}.", "\u{e4}\u{f6} <secret>."),
            ("x", "<secret>"),
            ("xx", "xx"),
        ] {
            assert_eq!(mask.text(text), wanted, "{text}");
        }
    }
}
