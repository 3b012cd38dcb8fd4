//! Values in JSON or a similar syntax, which may be truncated. They may be nested in a JSON string, where backslashes
//! precede each quote.

use std::ops::Range;

use super::scanner::Scan;
use crate::secret::names::{NameWords, Sensitivity, child, is_plural};
use crate::secret::{Author, placeholder};

/// Maximum nesting under the name of a secret. Everything deeper counts as one secret.
const MAX_DEPTH: u32 = 32;

impl Scan<'_, '_> {
    /// Handles the value at `at`, under a name of the given sensitivity. Returns its end.
    pub(super) fn json(&mut self, at: usize, sensitivity: Sensitivity, is_plural: bool, depth: u32) -> usize {
        let text = self.text;
        let at = self.skip(at, b" \t\r\n");
        if depth > MAX_DEPTH {
            self.spans.push(at..text.len());
            return text.len();
        }
        if let Some((content, end)) = self.quoted(at, b"\"") {
            if sensitivity != Sensitivity::NotSecret {
                self.value(content);
            }
            return end;
        }
        match text.get(at) {
            Some(b'{') => self.object(at + 1, sensitivity, depth),
            Some(b'[') => {
                let mut at = at + 1;
                loop {
                    at = self.skip(at, b", \t\r\n");
                    match text.get(at) {
                        None => return at,
                        Some(b']') => return at + 1,
                        Some(_) => at = self.json(at, sensitivity, is_plural, depth + 1).max(at + 1),
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
                if sensitivity != Sensitivity::NotSecret && !is_plural && !is_small {
                    self.spans.push(at..at + len);
                }
                at + len
            }
            // A boolean, null, or no value.
            _ => at + text[at.min(text.len())..].iter().take_while(|b| b.is_ascii_alphabetic()).count(),
        }
    }

    fn object(&mut self, mut at: usize, sensitivity: Sensitivity, depth: u32) -> usize {
        let text = self.text;
        loop {
            at = self.skip(at, b", \t\r\n");
            if text.get(at) == Some(&b'}') {
                return at + 1;
            }
            let Some((name, end)) = self.quoted(at, b"\"") else {
                // No longer JSON.
                return at;
            };
            at = self.skip(end, b" \t\r\n");
            if text.get(at) != Some(&b':') {
                return at;
            }
            let sensitivity = self.of_child(&text[name.clone()], sensitivity);
            at = self.json(at + 1, sensitivity, is_plural(&text[name]), depth + 1).max(at + 1);
        }
    }

    fn of_child(&self, name: &[u8], parent: Sensitivity) -> Sensitivity {
        child(self.rule.words(&NameWords::split(name)), name, parent)
    }

    /// Returns the span between quotes of one of the given kinds at `at`, and the index after the closing quote.
    /// Without a closing quote, both end with the text.
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
            // A quote inside the string has more backslashes than the surrounding quotes, or an odd number if those
            // have none.
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
