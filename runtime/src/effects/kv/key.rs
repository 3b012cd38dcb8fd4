//! Keys of entries: sequences of parts, each an integer or text, in a natural order.
//!
//! A key is stored as bytes that compare like the key: part by part, numbers before text, numbers by value, text by its
//! bytes, and a key before its extensions. Text that is a number in canonical form *is* that number: `"456"` from a
//! path and `456` from an integer name the same entry and are written the same way.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

/// Maximum length of a key, in bytes of its encoding, which is slightly longer than its text.
pub const MAX_KEY_LEN: usize = 1024;

/// Tag of the number zero, which has no bytes. The tag of a positive number is larger by the number of its bytes, and
/// the tag of a negative number is smaller by it, so that tags compare like numbers of different length.
const ZERO: u8 = 0x10;
const TEXT: u8 = 0x20;
/// End of text. Less than the encoding of any byte of text.
const END: [u8; 2] = [0, 0];
/// Encoding of a zero byte in text.
const NUL: [u8; 2] = [0, 0xff];

/// A key: one part, or a tuple of parts.
///
/// ```
/// use zerver::effects::kv::Key;
///
/// let key = Key::from(("todo", 456));
/// assert_eq!(key.to_string(), "todo:456");
/// assert_eq!(key, Key::from(("todo", "456")));
/// assert_ne!(key, Key::from("todo:456"), "a separator in a part does not separate");
/// assert_eq!(Key::from("todo:456").to_string(), r"todo\:456");
/// assert!(Key::from(("todo", 9)) < Key::from(("todo", 10)));
/// ```
///
/// `()` is the empty key, written `*`. As a prefix, it matches all keys.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(SmallVec<[u8; 40]>);

// Copies all bytes at once. The derived implementation would copy them one by one.
impl Clone for Key {
    fn clone(&self) -> Self {
        Self(SmallVec::from_slice(&self.0))
    }
}

/// A part of a key, as [`Key::parts`] returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// An integer.
    Number(i128),
    /// Text.
    Text(String),
}

impl Key {
    /// Adds a part.
    #[must_use]
    pub fn with(mut self, part: impl KeyPart) -> Self {
        part.push_to(&mut self);
        self
    }

    /// Returns the parts.
    pub fn parts(&self) -> Vec<Part> {
        let mut rest = &self.0[..];
        let part = |raw| match raw {
            RawPart::Number(n) => Part::Number(n),
            RawPart::Text(text) => Part::Text(text.into_owned()),
        };
        std::iter::from_fn(|| take_part(&mut rest)).map(part).collect()
    }

    /// Returns the bytes that stores keep. They compare like the key, and start with the bytes of its first parts.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the text of the key.
    fn text(&self) -> String {
        let mut rest = &self.0[..];
        if rest.is_empty() {
            return "*".to_owned();
        }
        let mut text = String::with_capacity(rest.len() + 8);
        let mut separator = "";
        while let Some(part) = take_part(&mut rest) {
            text.push_str(std::mem::replace(&mut separator, ":"));
            match part {
                // Most numbers fit into 64 bits, which are faster to format.
                RawPart::Number(n) => drop(match i64::try_from(n) {
                    Ok(n) => write!(text, "{n}"),
                    Err(_) => write!(text, "{n}"),
                }),
                RawPart::Text(part) => {
                    let mut part = &*part;
                    while let Some(special) = part.bytes().position(|byte| matches!(byte, b':' | b'\\')) {
                        text.push_str(&part[..special]);
                        text.push('\\');
                        text.push_str(&part[special..=special]);
                        part = &part[special + 1..];
                    }
                    text.push_str(part);
                }
            }
        }
        if text == "*" { r"\*".to_owned() } else { text }
    }

    /// Returns the key of these bytes, or `None` if they are not a key.
    #[cfg(feature = "kv-disk")]
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut key = Self(SmallVec::new());
        while !rest.is_empty() {
            match take_part(&mut rest)? {
                RawPart::Number(n) => key.push_number(n),
                RawPart::Text(text) => key.push_text(&text),
            }
        }
        (*key.0 == *bytes).then_some(key)
    }

    fn push_number(&mut self, n: i128) {
        // The magnitude fits into 64 bits: see the implementations of `KeyPart`.
        let size = n.unsigned_abs() as u64;
        let len = 8 - size.leading_zeros() as usize / 8;
        let sign = if n < 0 { 0xff } else { 0 };
        self.0.push(if n < 0 { ZERO - len as u8 } else { ZERO + len as u8 });
        self.0.extend(size.to_be_bytes()[8 - len..].iter().map(|byte| byte ^ sign));
    }

    fn push_text(&mut self, text: &str) {
        /// Maximum length of text that is appended in a single call, which is faster than several. Most text is short.
        const SHORT: usize = 32;
        if text.len() <= SHORT && !text.as_bytes().contains(&0) {
            let mut part = [0; 1 + SHORT + END.len()];
            part[0] = TEXT;
            part[1..=text.len()].copy_from_slice(text.as_bytes());
            let len = 1 + text.len() + END.len();
            part[len - END.len()..len].copy_from_slice(&END);
            return self.0.extend_from_slice(&part[..len]);
        }
        self.0.push(TEXT);
        if text.as_bytes().contains(&0) {
            for byte in text.bytes() {
                if byte == 0 { self.0.extend_from_slice(&NUL) } else { self.0.push(byte) }
            }
        } else {
            self.0.extend_from_slice(text.as_bytes());
        }
        self.0.extend_from_slice(&END);
    }
}

/// A part, decoded from the bytes of a key.
enum RawPart<'a> {
    Number(i128),
    Text(Cow<'a, str>),
}

/// Removes the first part from `rest`. `None` if there is none or it is malformed.
fn take_part<'a>(rest: &mut &'a [u8]) -> Option<RawPart<'a>> {
    let (&tag, bytes) = rest.split_first()?;
    match tag {
        TEXT => take_text(rest, bytes),
        tag if tag.abs_diff(ZERO) <= 8 => {
            let is_negative = tag < ZERO;
            let (number, after) = bytes.split_at_checked(usize::from(tag.abs_diff(ZERO)))?;
            *rest = after;
            let sign = if is_negative { 0xff } else { 0 };
            let size = number.iter().fold(0u64, |n, byte| n << 8 | u64::from(byte ^ sign));
            Some(RawPart::Number(if is_negative { -i128::from(size) } else { size.into() }))
        }
        _ => None,
    }
}

fn take_text<'a>(rest: &mut &'a [u8], bytes: &'a [u8]) -> Option<RawPart<'a>> {
    let (mut start, mut text) = (0, Vec::new());
    loop {
        let zero = start + bytes[start..].iter().position(|&byte| byte == 0)?;
        match [0, *bytes.get(zero + 1)?] {
            END => {
                *rest = &bytes[zero + 2..];
                return Some(RawPart::Text(if text.is_empty() {
                    Cow::Borrowed(str::from_utf8(&bytes[..zero]).ok()?)
                } else {
                    text.extend_from_slice(&bytes[start..zero]);
                    Cow::Owned(String::from_utf8(text).ok()?)
                }));
            }
            NUL => {
                text.extend_from_slice(&bytes[start..=zero]);
                start = zero + 2;
            }
            _ => return None,
        }
    }
}

/// Types that can be a part of a key: text, and integers of up to 64 bits.
pub trait KeyPart {
    /// Appends this part to a key.
    fn push_to(&self, key: &mut Key);
}

impl<P: KeyPart + ?Sized> KeyPart for &P {
    fn push_to(&self, key: &mut Key) {
        (**self).push_to(key);
    }
}

impl KeyPart for str {
    fn push_to(&self, key: &mut Key) {
        match as_number(self) {
            Some(n) => key.push_number(n),
            None => key.push_text(self),
        }
    }
}

impl KeyPart for String {
    fn push_to(&self, key: &mut Key) {
        self.as_str().push_to(key);
    }
}

/// Returns the number that text represents in canonical form: without a plus sign, leading zeros or minus zero.
fn as_number(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_canonical = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.len() < 20 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let n = is_canonical.then(|| text.parse::<i128>().ok())??;
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&n).then_some(n)
}

macro_rules! numbers {
    ($($number:ty)+) => {$(
        impl KeyPart for $number {
            fn push_to(&self, key: &mut Key) {
                key.push_number(*self as i128);
            }
        }

        impl From<$number> for Key {
            fn from(part: $number) -> Self {
                Self(SmallVec::new()).with(part)
            }
        }
    )+};
}

numbers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl From<&str> for Key {
    fn from(part: &str) -> Self {
        Self(SmallVec::new()).with(part)
    }
}

impl From<String> for Key {
    fn from(part: String) -> Self {
        Self::from(part.as_str())
    }
}

impl From<&String> for Key {
    fn from(part: &String) -> Self {
        Self::from(part.as_str())
    }
}

impl From<&Self> for Key {
    fn from(key: &Self) -> Self {
        key.clone()
    }
}

impl From<()> for Key {
    fn from((): ()) -> Self {
        Self(SmallVec::new())
    }
}

macro_rules! tuples {
    ($($part:ident)+) => {
        impl<$($part: KeyPart),+> From<($($part,)+)> for Key {
            #[allow(non_snake_case)]
            fn from(($($part,)+): ($($part,)+)) -> Self {
                let key = Self(SmallVec::new());
                $(let key = key.with($part);)+
                key
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);

/// Writes the parts separated by `:`. Within a part, `:` and `\` are escaped with `\`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// Error for text that is not a key: it ends within an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key cannot end with a backslash")]
pub struct ParseKeyError;

/// Parses the text of a [`Key`].
impl FromStr for Key {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let mut key = Self(SmallVec::new());
        if text == "*" {
            return Ok(key);
        }
        let mut part = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                ':' => {
                    key = key.with(&part);
                    part.clear();
                }
                '\\' => part.push(chars.next().ok_or(ParseKeyError)?),
                c => part.push(c),
            }
        }
        Ok(key.with(&part))
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
