//! A single pass over a text, and the primitives that the parsers of its parts share.

use std::ops::Range;

use crate::secret::names::{MAX_NAME, NameWords, Sensitivity};
use crate::secret::{Author, Rule, placeholder};

/// A single pass over a text.
pub(super) struct Scan<'t, 's> {
    pub(super) rule: &'t Rule,
    pub(super) text: &'t [u8],
    pub(super) author: Author,
    pub(super) spans: &'s mut Vec<Range<usize>>,
    /// Number of bytes that may still be searched for the ends of elements, all of which can be missing.
    pub(super) budget: usize,
}

impl<'t, 's> Scan<'t, 's> {
    pub(super) fn new(
        rule: &'t Rule,
        text: &'t [u8],
        author: Author,
        spans: &'s mut Vec<Range<usize>>,
    ) -> Self {
        Self { rule, text, author, spans, budget: 16 * text.len() }
    }
}

impl Scan<'_, '_> {
    /// Scans the whole text.
    pub(super) fn all(&mut self) {
        let mut from = 0;
        while let Some(at) = self.rule.next_stem(self.text, from) {
            from = match self.unnamed(at) {
                Some(end) => end.max(at + 1),
                None => self.named(at, from),
            };
        }
    }

    /// Examines the name around the stem at `at`, and the value after it. Returns the index at which to continue.
    fn named(&mut self, at: usize, from: usize) -> usize {
        let text = self.text;
        let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let mut start = at - text[from..at].iter().rev().take(MAX_NAME).take_while(|b| is_name(b)).count();
        let end = at + text[at..].iter().take_while(|b| is_name(b)).count();
        // The two digits of `%5B` do not belong to the name.
        if start > 0
            && text[start - 1] == b'%'
            && text[start..at].iter().take(2).filter(|b| b.is_ascii_hexdigit()).count() == 2
        {
            start += 2;
        }
        if end - start > MAX_NAME {
            return end;
        }
        let sensitivity = match self.rule.words(&NameWords::split(&text[start..end])) {
            Sensitivity::NotSecret => self.two_words(start, end),
            sensitivity => sensitivity,
        };
        match sensitivity {
            Sensitivity::NotSecret => end.max(at + 1),
            sensitivity => self.named_value(start..end, sensitivity).max(end),
        }
    }

    /// Classifies a name that contains a space: `api key`.
    fn two_words(&self, start: usize, end: usize) -> Sensitivity {
        let text = self.text;
        let is_second = ["key", "keys", "code", "number", "phrase", "card", "word"]
            .iter()
            .any(|word| text[start..end].eq_ignore_ascii_case(word.as_bytes()));
        if !is_second || start < 2 || text[start - 1] != b' ' {
            return Sensitivity::NotSecret;
        }
        let word = text[..start - 1].iter().rev().take(16).take_while(|b| b.is_ascii_alphabetic()).count();
        self.rule.words(&NameWords::split(&text[start - 1 - word..end]))
    }

    /// Adds the span of a value, if the value is a secret.
    pub(super) fn value(&mut self, range: Range<usize>) {
        if !placeholder::is_visible(&self.text[range.clone()], self.author) {
            self.spans.push(range);
        }
    }

    /// Returns the index of the first byte at or after `at` that is not in `wanted`.
    pub(super) fn skip(&self, at: usize, wanted: &[u8]) -> usize {
        at + self.text[at.min(self.text.len())..].iter().take_while(|b| wanted.contains(b)).count()
    }

    /// Returns true if these bytes are at `at`, ignoring case.
    pub(super) fn is_at(&self, at: usize, wanted: &[u8]) -> bool {
        self.text.get(at..at + wanted.len()).is_some_and(|there| there.eq_ignore_ascii_case(wanted))
    }

    /// Returns the index of these bytes in the `within` bytes from `at` on, ignoring case.
    pub(super) fn find(&self, at: usize, wanted: &[u8], within: usize) -> Option<usize> {
        let end = self.text.len().min(at.saturating_add(within));
        let found = self
            .text
            .get(at..end)?
            .windows(wanted.len())
            .position(|window| window.eq_ignore_ascii_case(wanted));
        found.map(|found| at + found)
    }
}
