//! Values of JSON, and of what is written like it, that may be cut off; also within a text of JSON, where each quote has
//! backslashes before it.

use std::ops::Range;

use super::super::sensitive_names::{Sensitivity, Words, is_about, is_plural};
use super::super::{Author, placeholder};
use super::scanner::Scan;

/// What is nested deeper under the name of a secret counts as one as a whole.
const MAX_DEPTH: u32 = 32;
/// What an entry is called that holds what its parent is named after.
const ITSELF: [&str; 6] = ["id", "key", "value", "hash", "data", "raw"];

impl Scan<'_, '_> {
    /// The value at a place, under a name that says this; where it ends.
    pub(super) fn json(&mut self, at: usize, said: Sensitivity, is_plural: bool, depth: u32) -> usize {
        let text = self.text;
        let at = self.skip(at, b" \t\r\n");
        if depth > MAX_DEPTH {
            self.spans.push(at..text.len());
            return text.len();
        }
        if let Some((content, end)) = self.quoted(at, b"\"") {
            if said != Sensitivity::NotSecret {
                self.value(content);
            }
            return end;
        }
        match text.get(at) {
            Some(b'{') => self.object(at + 1, said, depth),
            Some(b'[') => {
                let mut at = at + 1;
                loop {
                    at = self.skip(at, b", \t\r\n");
                    match text.get(at) {
                        None => return at,
                        Some(b']') => return at + 1,
                        Some(_) => at = self.json(at, said, is_plural, depth + 1).max(at + 1),
                    }
                }
            }
            Some(b'0'..=b'9' | b'-') => {
                let len =
                    text[at..].iter().position(|b| b",}] \t\r\n\\\"".contains(b)).unwrap_or(text.len() - at);
                let number = &text[at..at + len];
                let is_small = self.author == Author::Service
                    && str::from_utf8(number)
                        .is_ok_and(|text| text.parse::<u64>().is_ok_and(|n| n < placeholder::SMALL));
                if said != Sensitivity::NotSecret && !is_plural && !is_small {
                    self.spans.push(at..at + len);
                }
                at + len
            }
            // A truth value, or nothing.
            _ => at + text[at.min(text.len())..].iter().take_while(|b| b.is_ascii_alphabetic()).count(),
        }
    }

    fn object(&mut self, mut at: usize, said: Sensitivity, depth: u32) -> usize {
        let text = self.text;
        loop {
            at = self.skip(at, b", \t\r\n");
            if text.get(at) == Some(&b'}') {
                return at + 1;
            }
            let Some((name, end)) = self.quoted(at, b"\"") else {
                // No JSON any more.
                return at;
            };
            at = self.skip(end, b" \t\r\n");
            if text.get(at) != Some(&b':') {
                return at;
            }
            let said = self.of_child(&text[name.clone()], said);
            at = self.json(at + 1, said, is_plural(&text[name]), depth + 1).max(at + 1);
        }
    }

    fn of_child(&self, name: &[u8], parent: Sensitivity) -> Sensitivity {
        child(self.rule.words(&Words::of(name)), name, parent)
    }

    /// What stands between quotes of one of these sorts at a place, and where it ends with its closing quote, if it has one.
    pub(super) fn quoted(&self, at: usize, quotes: &[u8]) -> Option<(Range<usize>, usize)> {
        let text = self.text;
        let escapes = text.get(at..)?.iter().take_while(|&&b| b == b'\\').count();
        let quote = *text.get(at + escapes).filter(|b| quotes.contains(b))?;
        let start = at + escapes + 1;
        let mut backslashes = 0;
        for (end, &b) in text.iter().enumerate().skip(start) {
            if b == b'\\' {
                backslashes += 1;
                continue;
            }
            // A quote that is within has more backslashes than those around it, or an odd number of its own.
            let is_end = if escapes == 0 { backslashes % 2 == 0 } else { backslashes <= escapes };
            if b == quote && is_end {
                let content_end = if escapes == 0 { end } else { end - backslashes };
                return Some((start..content_end, end + 1));
            }
            backslashes = 0;
        }
        Some((start..text.len(), text.len()))
    }
}

/// What the name of an entry says within one whose name says `parent`.
pub(in super::super) fn child(said: Sensitivity, name: &[u8], parent: Sensitivity) -> Sensitivity {
    match (said, parent) {
        (_, Sensitivity::Secret) if is_about(Words::of(name).all()) => Sensitivity::NotSecret,
        (_, Sensitivity::Secret) => Sensitivity::Secret,
        (Sensitivity::NotSecret, Sensitivity::SecretText)
            if ITSELF.iter().any(|wanted| name.eq_ignore_ascii_case(wanted.as_bytes())) =>
        {
            Sensitivity::Secret
        }
        (said, _) => said,
    }
}
