//! The secrets of one trace, and the search for their copies.
//!
//! Secrets are collected where [`Rule`](zerver_trace::secret::Rule) finds them. The rest of the trace is searched for
//! copies of those that could not be a plain word.

use std::borrow::Cow;
use std::ops::Range;

use zerver_trace::secret::{
    Masker, TrigramFilter, base64_decoded, is_scheme, is_searchable, json_unescaped, merge_spans,
};
use zerver_trace::secret::{percent_decoded, replace_spans};
use zerver_trace::value::Encoder;
use zerver_trace::{Node, Value};

use crate::secrets::secret_key::SecretKey;

/// Maximum number of secrets that are searched for. A trace with more is sealed completely.
const MAX_SECRETS: usize = 64;

/// Length from which on each secret is searched for by itself, which takes long to prepare and is fast then, in bytes.
const LONG: usize = 512;

/// Every how many bytes a text is looked at. The first trigrams of a needle, one for each of these bytes, lead to it.
/// Needles are long enough: those that are searched for have eight bytes.
const STRIDE: usize = 4;

/// Number of bytes to compare with a value that was serialized as a sequence of numbers.
const MAX_NUMBERS_COMPARED: usize = 8;

/// The byte strings that must not be visible anywhere in a trace.
#[derive(Debug, Default)]
pub(crate) struct TraceSecrets {
    needles: Vec<Needle>,
    /// The bytes of all needles.
    bytes: Vec<u8>,
    /// First [`STRIDE`] trigrams of each needle, to rule out most positions quickly.
    beginnings: TrigramFilter,
    /// True if a needle is too short for all these trigrams, so that every position has to be looked at.
    has_short_needle: bool,
    masks_everything: bool,
}

#[derive(Debug, Clone, Copy)]
struct Needle {
    /// Positions in the bytes of all needles: the secret ends and the numbers begin at the middle one. The numbers are the
    /// start of the tokens of a `Vec<u8>` that was serialized as a sequence of numbers, from the first number on.
    start: usize,
    middle: usize,
    end: usize,
    /// Number of the first trigram of the secret, and of that of the numbers. `None` if there is none.
    first: [Option<u16>; 2],
    /// True if the other forms in which it may be copied were added as well.
    has_all_forms: bool,
}

impl TraceSecrets {
    pub(crate) fn is_empty(&self) -> bool {
        self.needles.is_empty() && !self.masks_everything
    }

    fn secret(&self, needle: Needle) -> &[u8] {
        &self.bytes[needle.start..needle.middle]
    }

    fn numbers(&self, needle: Needle) -> &[u8] {
        &self.bytes[needle.middle..needle.end]
    }

    fn has(&self, secret: &[u8]) -> bool {
        self.needles.iter().any(|needle| self.secret(*needle) == secret)
    }

    /// Adds the secrets of another part of the trace.
    pub(crate) fn extend(&mut self, others: &Self) {
        self.masks_everything |= others.masks_everything;
        for needle in &others.needles {
            if self.has(others.secret(*needle)) {
                continue;
            }
            if self.needles.len() >= MAX_SECRETS {
                self.masks_everything = true;
                return;
            }
            self.push(others.secret(*needle), others.numbers(*needle), needle.has_all_forms);
        }
    }

    /// Adds a secret in every form in which it may be copied. A secret that could be a plain word is ignored.
    pub(crate) fn add(&mut self, secret: &[u8]) {
        let secret = secret.trim_ascii();
        match self.needles.iter().position(|known| self.secret(*known) == secret) {
            Some(at) if self.needles[at].has_all_forms => return,
            Some(at) => self.needles[at].has_all_forms = true,
            None => self.add_needle(secret, true),
        }
        let decoded = percent_decoded(secret);
        if *decoded != *secret {
            self.add_needle(&decoded, false);
        }
        if let Some(encoded) = percent_encoded(secret) {
            self.add_needle(&encoded, false);
        }
        if secret.contains(&b'\\') {
            self.add_needle(&json_unescaped(secret), false);
        }
        if secret.iter().any(|b| matches!(b, b'"' | b'\\' | b'\n')) {
            let text = String::from_utf8_lossy(secret);
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.add_needle(escaped.as_bytes(), false);
        }
    }

    fn add_needle(&mut self, bytes: &[u8], has_all_forms: bool) {
        if !is_searchable(bytes) || self.has(bytes) {
            return;
        }
        if self.needles.len() >= MAX_SECRETS {
            self.masks_everything = true;
            return;
        }
        let mut tokens = Encoder::new();
        // Omits the tags of the sequence and of its first number, and the end.
        let numbers = match tokens.put(&bytes[..bytes.len().min(MAX_NUMBERS_COMPARED)]) {
            Ok(()) => tokens.written().get(2..tokens.written().len().saturating_sub(1)),
            Err(_) => None,
        };
        self.push(bytes, numbers.unwrap_or_default(), has_all_forms);
    }

    fn push(&mut self, secret: &[u8], numbers: &[u8], has_all_forms: bool) {
        for run in [secret, numbers] {
            self.beginnings.insert_all(&run[..run.len().min(STRIDE + 2)]);
            self.has_short_needle |= !run.is_empty() && run.len() < STRIDE + 2;
        }
        let start = self.bytes.len();
        self.bytes.reserve(secret.len() + numbers.len());
        self.bytes.extend_from_slice(secret);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(numbers);
        let first = [secret, numbers].map(|run| chunk(run, 0).map(TrigramFilter::number));
        self.needles.push(Needle { start, middle, end: self.bytes.len(), first, has_all_forms });
    }

    /// Adds the value of a secret header, and those of its components that may be copied separately.
    pub(crate) fn add_header_value(&mut self, value: &[u8]) {
        // The scheme before the secret, such as `Bearer`, is not secret.
        let space = memchr::memchr(b' ', value).filter(|&at| is_scheme(&value[..at]));
        self.add(space.map_or(value, |at| &value[at + 1..]));
        if space.is_none()
            && let Some(space) = memchr::memchr(b' ', value)
        {
            self.add(&value[space + 1..]);
        }
        for part in value.split(|b| b" ;,".contains(b)) {
            if !is_scheme(part) {
                self.add(part);
            }
            if let Some(equals) = memchr::memchr(b'=', part)
                && !is_attribute(&part[..equals])
            {
                self.add(unquoted(part[equals + 1..].trim_ascii()));
            }
        }
        let is_basic = |&at: &usize| value[..at].eq_ignore_ascii_case(b"basic");
        if let Some(basic) = space.filter(is_basic).and_then(|at| base64_decoded(&value[at + 1..])) {
            if let Some(colon) = memchr::memchr(b':', &basic) {
                self.add(&basic[colon + 1..]);
            }
            self.add(&basic);
        }
    }

    /// Adds every text and every byte string of a value that is secret as a whole.
    pub(crate) fn add_all(&mut self, node: &Node<'_>) {
        node.for_each_text(&mut |bytes| self.add(bytes));
    }

    /// Returns true if a secret occurs in the bytes, which may be the tokens of a value.
    pub(crate) fn occur_in(&self, bytes: &[u8]) -> bool {
        if self.masks_everything {
            return true;
        }
        if bytes.len() >= LONG {
            let is_in = |run: &[u8]| !run.is_empty() && memchr::memmem::find(bytes, run).is_some();
            return self
                .needles
                .iter()
                .any(|needle| is_in(self.secret(*needle)) || is_in(self.numbers(*needle)));
        }
        self.find_candidate(bytes, 0, |at| {
            let rest = &bytes[at..];
            self.needles.iter().any(|needle| {
                let numbers = self.numbers(*needle);
                rest.starts_with(self.secret(*needle)) || (!numbers.is_empty() && rest.starts_with(numbers))
            })
        })
        .is_some()
    }

    /// Returns false only if no secret occurs in the bytes with these trigrams. Fast.
    pub(crate) fn may_occur_in(&self, trigrams: &TrigramFilter) -> bool {
        let may_have = |run: &[u8]| (1..6).all(|at| chunk(run, at).is_none_or(|three| trigrams.has(three)));
        self.masks_everything
            || self.needles.iter().any(|needle| {
                let [secret, numbers] = needle.first;
                // Most needles are ruled out by their first trigram.
                secret.is_none_or(|first| trigrams.has_number(first)) && may_have(self.secret(*needle))
                    || needle.middle < needle.end
                        && numbers.is_none_or(|first| trigrams.has_number(first))
                        && may_have(self.numbers(*needle))
            })
    }

    /// Returns the first position from `from` on where a needle may begin, and for which `is_needle` returns true.
    #[inline]
    fn find_candidate(
        &self,
        bytes: &[u8],
        from: usize,
        mut is_needle: impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        if self.needles.is_empty() {
            return None;
        }
        let stride = if self.has_short_needle { 1 } else { STRIDE };
        // The trigrams of a needle that begins at `from` may be looked at up to `stride - 1` bytes later.
        let (mut at, mut next) = (from + stride - 1, from);
        while let Some(three) = chunk(bytes, at) {
            if self.beginnings.has(three) {
                let first = next.max(at + 1 - stride);
                if let Some(found) = (first..=at).find(|at| is_needle(*at)) {
                    return Some(found);
                }
                next = at + 1;
            }
            at += stride;
        }
        None
    }

    /// Returns the text with the secrets and the ranges `found` masked. `None` if there is nothing to mask.
    pub(crate) fn mask_text(&self, bytes: &[u8], found: &[Range<usize>], key: &SecretKey) -> Option<String> {
        if self.masks_everything {
            return Some(key.mask(bytes));
        }
        let spans = match self.copies_in(bytes) {
            copies if copies.is_empty() => Cow::Borrowed(found),
            copies => Cow::Owned(merge_spans(found.iter().cloned().chain(copies).collect())),
        };
        (!spans.is_empty()).then(|| replace_spans(bytes, &spans, |secret| key.mask(secret)))
    }

    /// Returns the ranges of copies of secrets. Overlapping and adjacent ones are merged.
    fn copies_in(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        let mut from = 0;
        let longest_at = |at: usize| {
            let secrets = self.needles.iter().map(|needle| self.secret(*needle));
            secrets.filter(|secret| bytes[at..].starts_with(secret)).map(<[u8]>::len).max()
        };
        while let Some(at) = self.find_candidate(bytes, from, |at| longest_at(at).is_some()) {
            let end = at + longest_at(at).unwrap_or_default();
            match spans.last_mut() {
                Some(last) if at <= last.end => last.end = last.end.max(end),
                _ => spans.push(at..end),
            }
            from = at + 1;
        }
        spans
    }

    /// Encodes a value with `write`, which masks the secrets in it. `None` if that is not possible.
    pub(crate) fn mask_value(
        &self,
        key: &SecretKey,
        write: impl FnOnce(&mut Encoder, &dyn Masker) -> Result<(), zerver_trace::ValueError>,
    ) -> Option<Value> {
        if self.masks_everything {
            return None;
        }
        let mut encoder = Encoder::new();
        write(&mut encoder, &CopyMasks { secrets: self, key }).ok()?;
        // A secret that is the name of a field, or spread over several texts, cannot be masked.
        encoder.finish().ok().filter(|masked| !self.occur_in(masked.tokens()))
    }
}

struct CopyMasks<'s> {
    secrets: &'s TraceSecrets,
    key: &'s SecretKey,
}

impl Masker for CopyMasks<'_> {
    fn mask(&self, secret: &[u8]) -> String {
        self.key.mask(secret)
    }

    fn extra_spans(&self, text: &[u8]) -> Vec<Range<usize>> {
        self.secrets.copies_in(text)
    }
}

/// Returns the three bytes at this position.
fn chunk(bytes: &[u8], at: usize) -> Option<[u8; 3]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text)
}

/// Returns true for an attribute of `set-cookie` (RFC 6265, section 5.2).
fn is_attribute(name: &[u8]) -> bool {
    [&b"path"[..], b"domain", b"expires", b"max-age", b"samesite"]
        .iter()
        .any(|attribute| name.trim_ascii().eq_ignore_ascii_case(attribute))
}

/// Returns the percent-encoded form if it differs. Bytes with a space are not a token, and are not encoded.
fn percent_encoded(raw: &[u8]) -> Option<Vec<u8>> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    if raw.iter().all(plain) || raw.contains(&b' ') {
        return None;
    }
    let mut out = Vec::with_capacity(raw.len() + 16);
    for b in raw {
        if plain(b) {
            out.push(*b);
        } else {
            let digit = |n: u8| b"0123456789ABCDEF"[usize::from(n)];
            out.extend_from_slice(&[b'%', digit(b >> 4), digit(b & 15)]);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "a list of one copy")]
    fn copies_are_found_wherever_they_are() {
        let mut secrets = TraceSecrets::default();
        let needles = ["3f9a2c71d0e4", "ann-token-7", "f9a2c71d0e4b99"];
        needles.iter().for_each(|needle| secrets.add(needle.as_bytes()));
        for needle in needles {
            for (before, after) in (0..9).flat_map(|before| (0..5).map(move |after| (before, after))) {
                let text = format!("{}{needle}{}", "q".repeat(before), "a".repeat(after));
                assert!(secrets.occur_in(text.as_bytes()), "{text}");
                let copies = secrets.copies_in(text.as_bytes());
                assert_eq!(copies, [before..before + needle.len()], "{text}");
                let cut = &text.as_bytes()[..before + needle.len() - 1];
                assert!(!secrets.occur_in(cut) && secrets.copies_in(cut).is_empty(), "{text}");
            }
        }
        // Two that overlap, and two that are next to each other.
        assert_eq!(secrets.copies_in(b"x3f9a2c71d0e4b99"), [1..16]);
        assert_eq!(secrets.copies_in(b"ann-token-73f9a2c71d0e4 ann-token-7"), [0..23, 24..35]);
        let bytes: Vec<u64> = b"x".iter().chain(b"ann-token-7").map(|byte| u64::from(*byte)).collect();
        let mut tokens = Encoder::new();
        tokens.put(&bytes).unwrap();
        assert!(secrets.occur_in(tokens.written()), "as numbers");
        assert!(!TraceSecrets::default().occur_in(b"anything"));
    }
}
