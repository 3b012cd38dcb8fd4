//! The secrets of one trace: collected where names or slots announce them, and searched for wherever else they may have
//! been copied to.

use std::ops::Range;

use zerver_trace::value::Encoder;
use zerver_trace::{Node, Value};

use crate::seal::Key;
use crate::words::{self, Triples};

/// Shorter secrets are sealed where they stand; searched for, they would be found everywhere.
const SEARCHED: usize = 6;
/// With more secrets than this, all of the trace is sealed.
const MAX_SECRETS: usize = 64;

/// Of bytes that serialised as a sequence of numbers, so many are compared.
const COMPARED: usize = 16;

/// What must not be seen of a trace.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    needles: Vec<Needle>,
    /// How the needles begin, for a quick no.
    beginnings: Triples,
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

    /// Takes note of a secret in every form in which it may be copied. Says whether it is one that cannot be searched
    /// for, because it is too short.
    pub(crate) fn add(&mut self, secret: &[u8]) -> bool {
        let secret = secret.trim_ascii();
        if secret.len() < SEARCHED {
            return !secret.is_empty() && !matches!(secret, b"null" | b"true" | b"false");
        }
        self.needle(secret);
        let decoded = words::percent_decoded(secret);
        if *decoded != *secret && decoded.len() >= SEARCHED {
            self.needle(&decoded);
        }
        if let Some(encoded) = percent_encoded(secret) {
            self.needle(&encoded);
        }
        if secret.iter().any(|b| matches!(b, b'"' | b'\\' | b'\n')) {
            let text = String::from_utf8_lossy(secret);
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.needle(escaped.as_bytes());
        }
        false
    }

    fn needle(&mut self, bytes: &[u8]) {
        if self.needles.iter().any(|known| known.bytes == bytes) {
            return;
        }
        if self.needles.len() >= MAX_SECRETS {
            self.everything = true;
            return;
        }
        let tokens = Value::of(&bytes[..bytes.len().min(COMPARED)])
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

    /// The value of a header whose name says it is secret; the parts of it that may be copied by themselves too.
    pub(crate) fn add_header(&mut self, value: &[u8]) -> bool {
        // The word before the secret, such as `Bearer`, is none, and may be seen.
        let space = memchr::memchr(b' ', value).filter(|&at| is_scheme(&value[..at]));
        let short = self.add(space.map_or(value, |at| &value[at + 1..]));
        for part in value.split(|b| b" ;,".contains(b)) {
            if part.len() > SEARCHED && !is_scheme(part) {
                self.add(part);
            }
            if let Some(equals) = memchr::memchr(b'=', part)
                && !is_attribute(&part[..equals])
            {
                self.add(part[equals + 1..].trim_ascii());
            }
        }
        if let Some(basic) = value.strip_prefix(b"Basic ").and_then(base64_decoded) {
            if let Some(colon) = memchr::memchr(b':', &basic) {
                self.add(&basic[colon + 1..]);
            }
            self.add(&basic);
        }
        short
    }

    /// Every text and every run of bytes in a value that is secret as a whole.
    pub(crate) fn add_all(&mut self, node: &Node<'_>) -> bool {
        let mut short = false;
        node.each_text(&mut |bytes| short |= self.add(bytes));
        short
    }

    /// The secrets which names within a value announce.
    pub(crate) fn add_named(&mut self, node: &Node<'_>) -> bool {
        let mut short = false;
        match node {
            Node::Str(_) | Node::Bytes(_) => {
                if let Some(bytes) = node.as_bytes() {
                    short |= self.add_from_text(&bytes);
                }
            }
            Node::Some(inner) | Node::Variant(_, Some(inner)) => short |= self.add_named(inner),
            Node::Seq(items) => match &items[..] {
                // A header as a pair.
                [Node::Str(name), value] if words::is_sensitive(name) => {
                    short |= self.add_secret(name, value)
                }
                _ => match node.as_bytes() {
                    Some(bytes) => short |= self.add_from_text(&bytes),
                    None => items.iter().for_each(|item| short |= self.add_named(item)),
                },
            },
            Node::Map(entries) => {
                for (key, value) in entries {
                    let secret = key.as_str().filter(|name| words::is_sensitive(name));
                    short |= self.add_named(key);
                    short |= match secret {
                        Some(name) => self.add_secret(name, value),
                        None => self.add_named(value),
                    };
                }
            }
            Node::Struct(fields) => {
                // A header as a struct.
                let named = |wanted| fields.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
                let header = named("name").and_then(Node::as_str).filter(|name| words::is_sensitive(name));
                for (name, value) in fields {
                    short |= match header {
                        Some(header) if *name == "value" => self.add_secret(header, value),
                        _ if words::is_sensitive(name) => self.add_secret(name, value),
                        _ => self.add_named(value),
                    };
                }
            }
            _ => {}
        }
        short
    }

    fn add_secret(&mut self, name: &str, node: &Node<'_>) -> bool {
        let mut short = false;
        node.each_text(&mut |bytes| {
            short |= if words::is_header(name) { self.add_header(bytes) } else { self.add(bytes) };
        });
        short
    }

    /// The secrets which names within a text announce: JSON, a form, a URL.
    pub(crate) fn add_from_text(&mut self, text: &[u8]) -> bool {
        let mut short = false;
        if words::may_name_a_secret(text) {
            words::secrets_in(text, &mut |secret| short |= self.add(secret));
        }
        short
    }

    /// The user information of an origin (RFC 3986, section 3.2.1): all of it, and the password in it.
    pub(crate) fn add_from_origin(&mut self, origin: &[u8]) -> bool {
        let authority = memchr::memmem::find(origin, b"://").map_or(origin, |at| &origin[at + 3..]);
        let Some(at) = memchr::memrchr(b'@', authority) else { return false };
        let user_info = &authority[..at];
        let is_short = self.add(user_info);
        match memchr::memchr(b':', user_info) {
            Some(colon) => self.add(&user_info[colon + 1..]) || is_short,
            None => is_short,
        }
    }

    /// The secret parameters of a request's target.
    pub(crate) fn add_from_target(&mut self, target: &[u8]) -> bool {
        let Some(mark) = memchr::memchr(b'?', target) else { return false };
        let mut short = false;
        for (name, value) in words::parameters(&target[mark + 1..]) {
            if words::is_sensitive_parameter(&String::from_utf8_lossy(&name)) {
                short |= self.add(value);
            }
        }
        short
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
    pub(crate) fn may_be_in(&self, triples: &Triples) -> bool {
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

    /// The text with a mask in the place of each secret; none if there is none in it.
    pub(crate) fn masked(&self, bytes: &[u8], key: &Key) -> Option<String> {
        if self.everything {
            return Some(key.mask(bytes));
        }
        let spans = self.spans(bytes);
        if spans.is_empty() {
            return None;
        }
        let (mut out, mut from) = (String::new(), 0);
        for span in spans {
            out.push_str(&String::from_utf8_lossy(&bytes[from..span.start]));
            out.push_str(&key.mask(&bytes[span.clone()]));
            from = span.end;
        }
        out.push_str(&String::from_utf8_lossy(&bytes[from..]));
        Some(out)
    }

    /// Where secrets are, those that overlap or touch as one.
    fn spans(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut merged: Vec<Range<usize>> = Vec::new();
        for at in self.candidates(bytes) {
            let found = self.needles.iter().filter(|needle| bytes[at..].starts_with(&needle.bytes));
            let Some(len) = found.map(|needle| needle.bytes.len()).max() else { continue };
            match merged.last_mut() {
                Some(last) if at <= last.end => last.end = last.end.max(at + len),
                _ => merged.push(at..at + len),
            }
        }
        merged
    }

    /// The value with a mask in the place of each secret; none where that cannot be done.
    pub(crate) fn masked_value(&self, value: &Value, key: &Key) -> Option<Value> {
        if self.everything {
            return None;
        }
        let mut encoder = Encoder::new();
        encoder.node(&value.root(), &mut |bytes| self.masked(bytes, key)).ok()?;
        // A secret that is a name of a field, or spread over several texts, is still there.
        encoder.finish().ok().filter(|masked| !self.are_in(masked.tokens()))
    }
}

fn is_scheme(word: &[u8]) -> bool {
    [&b"Bearer"[..], b"Negotiate", b"Digest", b"Basic"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
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

fn base64_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut bits, mut have) = (Vec::new(), 0u32, 0);
    for &b in text.trim_ascii().iter().filter(|&&b| b != b'=') {
        let six = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        have += 6;
        if have >= 8 {
            have -= 8;
            out.push((bits >> have) as u8);
        }
    }
    Some(out)
}
