//! UUIDs, without a crate for them.

use std::fmt;
use std::str::FromStr;

use zerver_engine::RequestId;

use super::ParseValueError;

/// A UUID. Values of other crates convert by their bytes: `sql::Uuid(id.into_bytes())`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl From<[u8; 16]> for Uuid {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl From<RequestId> for Uuid {
    fn from(id: RequestId) -> Self {
        Self(id.as_u128().to_be_bytes())
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", u128::from_be_bytes(self.0));
        let [a, b, c, d, e] = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &digits[range]);
        write!(f, "{a}-{b}-{c}-{d}-{e}")
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Parses 32 hexadecimal digits, with or without hyphens.
impl FromStr for Uuid {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, ParseValueError> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let is_valid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_valid.then(|| u128::from_str_radix(&digits, 16).ok()).flatten();
        number.map(|number| Self(number.to_be_bytes())).ok_or_else(|| ParseValueError::new(text, "a UUID"))
    }
}
