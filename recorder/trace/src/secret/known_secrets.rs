//! Search for copies of known secrets in a text.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{Author, MASK, Rule, TrigramFilter, is_scheme, is_searchable, merge_spans, replace_spans};
use crate::Node;

/// Known secrets, which are masked in every text that contains a copy. Only secrets that [`is_searchable`] allows are
/// kept.
#[derive(Debug, Clone, Default)]
pub struct KnownSecrets {
    /// Secrets by length, longest first, so that a search compares each position once per length, not once per secret.
    secrets: BTreeMap<Reverse<usize>, BTreeSet<Vec<u8>>>,
    /// First trigrams of the secrets, which rule out most positions of a text.
    beginnings: TrigramFilter,
}

impl KnownSecrets {
    /// Adds a secret, if it is searchable.
    pub fn add(&mut self, secret: &[u8]) {
        let secret = secret.trim_ascii();
        if !is_searchable(secret) {
            return;
        }
        if let Some(start) = secret.first_chunk() {
            self.beginnings.insert(*start);
        }
        self.secrets.entry(Reverse(secret.len())).or_default().insert(secret.to_vec());
    }

    /// Adds a secret and its parts as in a header: the credentials after the scheme, and the values of cookies.
    pub fn add_words(&mut self, secret: &[u8]) {
        self.add(secret);
        if let Some(space) = secret.iter().position(|&b| b == b' ') {
            self.add(&secret[space + 1..]);
        }
        secret.split(|b| b" ;,".contains(b)).filter(|word| !is_scheme(word)).for_each(|word| {
            self.add(word);
            if let Some(equals) = word.iter().position(|&b| b == b'=') {
                self.add(&word[equals + 1..]);
            }
        });
    }

    /// Adds every text in a value that is secret as a whole.
    pub fn add_value(&mut self, node: &Node<'_>) {
        node.for_each_text(&mut |bytes| self.add_words(bytes));
    }

    /// Returns a text of the service with its secrets masked: those that `rule` finds, and copies of the known ones.
    /// Returns `None` if it has none.
    pub fn masked(&self, text: &[u8], rule: &Rule) -> Option<String> {
        let own = rule.spans(text, Author::Service);
        let spans = merge_spans(own.into_iter().chain(self.spans(text)).collect());
        (!spans.is_empty()).then(|| replace_spans(text, &spans, |_| MASK.to_owned()))
    }

    /// Returns the spans of copies in a text, in order. If several begin at one position, the longest counts.
    pub fn spans(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        if self.secrets.is_empty() {
            return spans;
        }
        for at in self.beginnings.positions(text) {
            if spans.last().is_some_and(|last| at < last.end) {
                continue;
            }
            let ends = self.secrets.iter().map(|(len, secrets)| (at + len.0, secrets));
            let mut found =
                ends.filter(|(end, secrets)| text.get(at..*end).is_some_and(|part| secrets.contains(part)));
            if let Some((end, _)) = found.next() {
                spans.push(at..end);
            }
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::super::replace_spans;
    use super::*;

    /// A value can contain a great number of secrets. Comparing each of them at each position would take hours.
    #[test]
    fn many_secrets_are_found_in_one_pass() {
        let mut copies = KnownSecrets::default();
        let secrets: Vec<String> = (0..100_000).map(|n| format!("t0k3n-{n:06}")).collect();
        secrets.iter().for_each(|secret| copies.add(secret.as_bytes()));
        let text = secrets.join("\n");
        let spans = copies.spans(text.as_bytes());
        assert_eq!(replace_spans(text.as_bytes(), &spans, |_| "#".to_owned()), ["#"; 100_000].join("\n"));
    }

    #[test]
    fn the_longest_copy_is_found_and_plain_words_are_not() {
        let mut copies = KnownSecrets::default();
        for secret in ["a1b2c3d4", "a1b2c3d4e5f6", "password", "hunter22", "ab"] {
            copies.add(secret.as_bytes());
        }
        copies.add_words(b"Bearer 3f9a2c71d0e4");
        for (text, wanted) in [
            ("", ""),
            ("a1b2c3d", "a1b2c3d"),
            ("a1b2c3d4", "#"),
            ("aa1b2c3d4e5f6a1b2c3d4", "a##"),
            ("a1b2c3d4e5a1b2a1b2c3d4e5f6", "#e5a1b2#"),
            ("select password from hunter22 ab", "select password from hunter22 ab"),
            ("Bearer 3f9a2c71d0e4, bearer 3f9a2c71d0e4", "#, bearer #"),
        ] {
            let spans = copies.spans(text.as_bytes());
            assert_eq!(replace_spans(text.as_bytes(), &spans, |_| "#".to_owned()), wanted, "{text}");
        }
    }
}
