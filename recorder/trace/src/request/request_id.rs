//! Request ids: version 7 UUIDs (RFC 9562), which sort by time of arrival.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};

/// Id of a request and of its trace.
///
/// Displayed as a UUID. The runtime generates ids; this crate only carries them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct RequestId(u128);

impl RequestId {
    /// Creates an id from its 128 bits.
    pub const fn from_u128(bits: u128) -> Self {
        Self(bits)
    }

    /// Returns the 128 bits of the id, which sort by time of arrival.
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// Returns the first `digits` hexadecimal digits (at most 32), with the hyphens of a UUID.
    pub fn short(self, digits: usize) -> String {
        let full = self.to_string();
        let mut seen = 0;
        let end = full
            .char_indices()
            .find_map(|(at, c)| {
                if c != '-' {
                    seen += 1;
                }
                (seen > digits).then_some(at)
            })
            .unwrap_or(full.len());
        full[..end].trim_end_matches('-').to_owned()
    }

    /// Returns the number of leading hexadecimal digits that two ids share.
    pub const fn shared_digits(self, other: Self) -> usize {
        ((self.0 ^ other.0).leading_zeros() / 4) as usize
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            (n >> 96) as u32,
            (n >> 80) as u16,
            (n >> 64) as u16,
            (n >> 48) as u16,
            n & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RequestId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        match text.parse::<IdPrefix>()? {
            IdPrefix { low, digits: 32, .. } => Ok(Self(low)),
            IdPrefix { digits, .. } => Err(ParseIdError::TooShort(digits)),
        }
    }
}

/// First digits of an id, as a user types them. Hyphens are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdPrefix {
    low: u128,
    high: u128,
    digits: u8,
}

impl IdPrefix {
    /// Returns the smallest id with this prefix.
    pub const fn first(self) -> RequestId {
        RequestId(self.low)
    }

    /// Returns the greatest id with this prefix.
    pub const fn last(self) -> RequestId {
        RequestId(self.high)
    }

    /// Returns true if `id` begins with this prefix.
    pub const fn matches(self, id: RequestId) -> bool {
        self.low <= id.0 && id.0 <= self.high
    }
}

impl fmt::Display for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first().short(usize::from(self.digits)))
    }
}

impl FromStr for IdPrefix {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let (mut bits, mut digits) = (0u128, 0u8);
        for c in text.chars().filter(|&c| c != '-') {
            let digit = c.to_digit(16).ok_or(ParseIdError::NotHex(c))?;
            if digits == 32 {
                return Err(ParseIdError::TooLong);
            }
            bits = bits << 4 | u128::from(digit);
            digits += 1;
        }
        let open = 128 - 4 * u32::from(digits);
        match digits {
            0 => Err(ParseIdError::Empty),
            _ => {
                let low = bits.checked_shl(open).unwrap_or(0);
                let high = low | u128::MAX.checked_shr(128 - open).unwrap_or(0);
                Ok(Self { low, high, digits })
            }
        }
    }
}

/// Reason why a string is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseIdError {
    /// The string has no digits.
    Empty,
    /// The string contains this character, which is not a hexadecimal digit.
    NotHex(char),
    /// The string has more than 32 digits.
    TooLong,
    /// A complete id was required, but the string has only this number of digits.
    TooShort(u8),
}

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "an id needs at least one hexadecimal digit"),
            Self::NotHex(c) => write!(f, "{c:?} is not a hexadecimal digit"),
            Self::TooLong => write!(f, "an id has at most 32 digits"),
            Self::TooShort(digits) => write!(f, "an id has 32 digits, not {digits}"),
        }
    }
}

impl std::error::Error for ParseIdError {}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: RequestId = RequestId::from_u128(0x019a_a4c2_1f3b_7abc_8def_0123_4567_89ab);

    #[test]
    fn an_id_reads_back_from_its_text() {
        assert_eq!(ID.to_string(), "019aa4c2-1f3b-7abc-8def-0123456789ab");
        assert_eq!(ID.to_string().parse(), Ok(ID));
        assert_eq!("019aa4c2".parse::<RequestId>(), Err(ParseIdError::TooShort(8)));
    }

    #[test]
    fn a_prefix_matches_with_and_without_hyphens() {
        for text in ["0", "019aa4c2", "019aa4c2-1", "019AA4C21f3b", "019aa4c2-1f3b-7abc-8def-0123456789ab"] {
            assert!(text.parse::<IdPrefix>().unwrap().matches(ID), "{text}");
        }
        for text in ["1", "019aa4c3", "019aa4c2-1f3b-7abc-8def-0123456789ac"] {
            assert!(!text.parse::<IdPrefix>().unwrap().matches(ID), "{text}");
        }
        assert_eq!("-".parse::<IdPrefix>(), Err(ParseIdError::Empty));
        assert_eq!("019g".parse::<IdPrefix>(), Err(ParseIdError::NotHex('g')));
        assert_eq!("0".repeat(33).parse::<IdPrefix>(), Err(ParseIdError::TooLong));
    }

    #[test]
    fn short_keeps_the_hyphens_between_digits() {
        assert_eq!(ID.short(8), "019aa4c2");
        assert_eq!(ID.short(9), "019aa4c2-1");
        assert_eq!(ID.short(32), ID.to_string());
        assert_eq!(ID.shared_digits(RequestId::from_u128(ID.as_u128() ^ 1)), 31);
    }
}
