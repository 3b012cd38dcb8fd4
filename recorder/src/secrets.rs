//! The secrets of one trace: collected where [`Rule`] finds them, and searched for wherever else they may have been copied
//! to, if they are none that could be a plain word.

use std::borrow::Cow;
use std::ops::Range;

use zerver_trace::secret::{
    Masker, TrigramFilter, base64_decoded, is_scheme, is_searchable, json_unescaped, merge_spans,
};
use zerver_trace::secret::{percent_decoded, replace_spans};
use zerver_trace::value::Encoder;
use zerver_trace::{Node, Value};

use crate::seal::Key;

/// With more secrets than this, all of the trace is sealed.
const MAX_SECRETS: usize = 64;

/// Of bytes that serialised as a sequence of numbers, so many are compared.
const COMPARED: usize = 16;

/// What must not be seen of a trace, wherever it is.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    needles: Vec<Needle>,
    /// How the needles begin, for a quick no.
    beginnings: TrigramFilter,
    everything: bool,
}

#[derive(Debug)]
struct Needle {
    bytes: Vec<u8>,
    /// The start of the tokens of a `Vec<u8>` that serialised as a sequence of numbers, from the first number on.
    numbers: Vec<u8>,
}

impl Secrets {
    pub(crate) fn is_empty(&self) -> bool {
        self.needles.is_empty() && !self.everything
    }

    /// Takes over what another trace part announced.
    pub(crate) fn join(&mut self, others: &Self) {
        self.everything |= others.everything;
        for needle in &others.needles {
            if self.needles.iter().any(|known| known.bytes == needle.bytes) {
                continue;
            }
            if self.needles.len() >= MAX_SECRETS {
                self.everything = true;
                return;
            }
            self.push(Needle { bytes: needle.bytes.clone(), numbers: needle.numbers.clone() });
        }
    }

    /// Takes note of a secret in every form in which it may be copied, unless it could be a plain word.
    pub(crate) fn add(&mut self, secret: &[u8]) {
        let secret = secret.trim_ascii();
        self.needle(secret);
        let decoded = percent_decoded(secret);
        if *decoded != *secret {
            self.needle(&decoded);
        }
        if let Some(encoded) = percent_encoded(secret) {
            self.needle(&encoded);
        }
        if secret.contains(&b'\\') {
            self.needle(&json_unescaped(secret));
        }
        if secret.iter().any(|b| matches!(b, b'"' | b'\\' | b'\n')) {
            let text = String::from_utf8_lossy(secret);
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.needle(escaped.as_bytes());
        }
    }

    fn needle(&mut self, bytes: &[u8]) {
        if !is_searchable(bytes) || self.needles.iter().any(|known| known.bytes == bytes) {
            return;
        }
        if self.needles.len() >= MAX_SECRETS {
            self.everything = true;
            return;
        }
        let tokens = Value::from_serialize(&bytes[..bytes.len().min(COMPARED)])
            .map_or(Vec::new(), |value| value.tokens().to_vec());
        // Without the tags of the sequence and of its first number, and without the end.
        let numbers = tokens.get(2..tokens.len().saturating_sub(1)).unwrap_or_default().to_vec();
        self.push(Needle { bytes: bytes.to_vec(), numbers });
    }

    fn push(&mut self, needle: Needle) {
        for start in [needle.bytes.first_chunk(), needle.numbers.first_chunk()].into_iter().flatten() {
            self.beginnings.insert(*start);
        }
        self.needles.push(needle);
    }

    /// The value of a header that is secret; the parts of it that may be copied by themselves too.
    pub(crate) fn add_header(&mut self, value: &[u8]) {
        // The word before the secret, such as `Bearer`, is none, and may be seen.
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

    /// Every text and every run of bytes in a value that is secret as a whole.
    pub(crate) fn add_all(&mut self, node: &Node<'_>) {
        node.for_each_text(&mut |bytes| self.add(bytes));
    }

    /// Whether some bytes hold a secret; tokens of a value are bytes too.
    pub(crate) fn are_in(&self, bytes: &[u8]) -> bool {
        self.everything
            || self.candidates(bytes).any(|at| {
                let rest = &bytes[at..];
                self.needles.iter().any(|needle| {
                    rest.starts_with(&needle.bytes)
                        || (!needle.numbers.is_empty() && rest.starts_with(&needle.numbers))
                })
            })
    }

    /// Whether a secret may be in the bytes with these triples. Quick, and wrong only by saying yes.
    pub(crate) fn may_be_in(&self, triples: &TrigramFilter) -> bool {
        self.everything
            || self.needles.iter().any(|needle| {
                triples.may_have(&needle.bytes)
                    || (!needle.numbers.is_empty() && triples.may_have(&needle.numbers))
            })
    }

    /// Where a needle may begin.
    fn candidates(&self, bytes: &[u8]) -> impl Iterator<Item = usize> {
        self.beginnings.positions(bytes)
    }

    /// The text with a mask in the place of each secret and of what is `found` already; none if there is nothing in it.
    pub(crate) fn masked(&self, bytes: &[u8], found: &[Range<usize>], key: &Key) -> Option<String> {
        if self.everything {
            return Some(key.mask(bytes));
        }
        let spans = match self.spans(bytes) {
            copies if copies.is_empty() => Cow::Borrowed(found),
            copies => Cow::Owned(merge_spans(found.iter().cloned().chain(copies).collect())),
        };
        (!spans.is_empty()).then(|| replace_spans(bytes, &spans, |secret| key.mask(secret)))
    }

    /// Where copies of secrets are, those that overlap or touch as one.
    fn spans(&self, bytes: &[u8]) -> Vec<Range<usize>> {
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

    /// A value as `write` writes it with the secrets in it masked; none where that cannot be done.
    pub(crate) fn masked_value(
        &self,
        key: &Key,
        write: impl FnOnce(&mut Encoder, &dyn Masker) -> Result<(), zerver_trace::ValueError>,
    ) -> Option<Value> {
        if self.everything {
            return None;
        }
        let mut encoder = Encoder::new();
        write(&mut encoder, &Copies { secrets: self, key }).ok()?;
        // A secret that is a name of a field, or spread over several texts, is still there.
        encoder.finish().ok().filter(|masked| !self.are_in(masked.tokens()))
    }
}

struct Copies<'s> {
    secrets: &'s Secrets,
    key: &'s Key,
}

impl Masker for Copies<'_> {
    fn mask(&self, secret: &[u8]) -> String {
        self.key.mask(secret)
    }

    fn more(&self, text: &[u8]) -> Vec<Range<usize>> {
        self.secrets.spans(text)
    }
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text)
}

/// An attribute of `set-cookie` (RFC 6265, section 5.2).
fn is_attribute(name: &[u8]) -> bool {
    [&b"path"[..], b"domain", b"expires", b"max-age", b"samesite"]
        .iter()
        .any(|attribute| name.trim_ascii().eq_ignore_ascii_case(attribute))
}

/// As a URL would have it, if that is something else. What has a space in it is no token, and is left alone.
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
