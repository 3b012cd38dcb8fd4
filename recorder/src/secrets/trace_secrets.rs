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

/// Number of bytes to compare with a value that was serialized as a sequence of numbers.
const MAX_NUMBERS_COMPARED: usize = 16;

/// The byte strings that must not be visible anywhere in a trace.
#[derive(Debug, Default)]
pub(crate) struct TraceSecrets {
    needles: Vec<Needle>,
    /// First three bytes of each needle, to rule out most positions quickly.
    prefixes: TrigramFilter,
    masks_everything: bool,
}

#[derive(Debug, Clone)]
struct Needle {
    bytes: Box<[u8]>,
    /// Start of the tokens of a `Vec<u8>` that was serialized as a sequence of numbers, from the first number on.
    numbers: Box<[u8]>,
    /// True if the other forms in which it may be copied were added as well.
    has_all_forms: bool,
}

impl TraceSecrets {
    pub(crate) fn is_empty(&self) -> bool {
        self.needles.is_empty() && !self.masks_everything
    }

    /// Adds the secrets of another part of the trace.
    pub(crate) fn extend(&mut self, others: &Self) {
        self.masks_everything |= others.masks_everything;
        for needle in &others.needles {
            if self.needles.iter().any(|known| known.bytes == needle.bytes) {
                continue;
            }
            if self.needles.len() >= MAX_SECRETS {
                self.masks_everything = true;
                return;
            }
            self.push(needle.clone());
        }
    }

    /// Adds a secret in every form in which it may be copied. A secret that could be a plain word is ignored.
    pub(crate) fn add(&mut self, secret: &[u8]) {
        let secret = secret.trim_ascii();
        match self.needles.iter_mut().find(|known| *known.bytes == *secret) {
            Some(known) if known.has_all_forms => return,
            Some(known) => known.has_all_forms = true,
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
        if !is_searchable(bytes) || self.needles.iter().any(|known| *known.bytes == *bytes) {
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
        self.push(Needle { bytes: bytes.into(), numbers: numbers.unwrap_or_default().into(), has_all_forms });
    }

    fn push(&mut self, needle: Needle) {
        for start in [needle.bytes.first_chunk(), needle.numbers.first_chunk()].into_iter().flatten() {
            self.prefixes.insert(*start);
        }
        self.needles.push(needle);
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
            return self.needles.iter().any(|needle| is_in(&needle.bytes) || is_in(&needle.numbers));
        }
        self.candidates(bytes).any(|at| {
            let rest = &bytes[at..];
            self.needles.iter().any(|needle| {
                rest.starts_with(&needle.bytes)
                    || (!needle.numbers.is_empty() && rest.starts_with(&needle.numbers))
            })
        })
    }

    /// Returns false only if no secret occurs in the bytes with these trigrams. Fast.
    pub(crate) fn may_occur_in(&self, trigrams: &TrigramFilter) -> bool {
        self.masks_everything
            || self.needles.iter().any(|needle| {
                trigrams.may_have(&needle.bytes)
                    || (!needle.numbers.is_empty() && trigrams.may_have(&needle.numbers))
            })
    }

    /// Positions at which a needle may begin.
    fn candidates(&self, bytes: &[u8]) -> impl Iterator<Item = usize> {
        self.prefixes.positions(bytes)
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
        for at in self.candidates(bytes) {
            let found = self.needles.iter().filter(|needle| bytes[at..].starts_with(&needle.bytes));
            let Some(len) = found.map(|needle| needle.bytes.len()).max() else { continue };
            match spans.last_mut() {
                Some(last) if at <= last.end => last.end = last.end.max(at + len),
                _ => spans.push(at..at + len),
            }
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
