//! Decoding of untrusted bytes, within a memory budget that depends on the number of bytes.
//!
//! A list element can take one byte when encoded but several hundred bytes in memory. A list also announces its length
//! first, and the memory for it is allocated at once. Bincode's own limit covers only allocations that are outstanding
//! at one time, so nested lists can grow without bound, and it is the same for every length of input. This module adds
//! two limits:
//!
//! - Elements that are announced but not yet decoded take at most `ANNOUNCED_MAX`, and less if the input is short.
//! - A decoded value consists of at most `MAX_PARTS` numbers, tags and lengths. The memory for each is bounded by its type.

use bincode::Decode;
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::de::read::Reader;
use bincode::de::{Decoder, DecoderImpl};
use bincode::error::DecodeError;

/// Maximum length of the input, in bytes.
const MAX_LEN: usize = 128 << 20;
/// Announced memory allowed per byte of input, in bytes. A list of empty strings, the worst case, needs 24.
const ANNOUNCED: usize = 64;
/// Announced memory that is always allowed, in bytes.
const ANNOUNCED_MIN: usize = 64 << 10;
/// Maximum of announced memory, in bytes.
const ANNOUNCED_MAX: usize = 6 << 20;
/// Maximum number of numbers, tags, lengths and strings. A trace with the maximum number of events has fewer.
const MAX_PARTS: usize = 256 << 10;

/// Decodes a value from the start of `bytes`, and returns it with the number of bytes read.
///
/// # Errors
/// The bytes are not such a value, or it would take too much memory ([`DecodeError::LimitExceeded`]).
pub fn decode_prefix<T: Decode<()>>(bytes: &[u8]) -> Result<(T, usize), DecodeError> {
    let announced = bytes.len().saturating_mul(ANNOUNCED).clamp(ANNOUNCED_MIN, ANNOUNCED_MAX);
    // Bincode's limit is a const generic, so the part of it that must not be used is claimed before anything is read.
    let claimed =
        MAX_LEN.checked_sub(bytes.len().saturating_add(announced)).ok_or(DecodeError::LimitExceeded)?;
    let mut decoder = DecoderImpl::new(Parts { bytes, left: MAX_PARTS }, config(), ());
    decoder.claim_bytes_read(claimed)?;
    let value = T::decode(&mut decoder)?;
    Ok((value, bytes.len() - decoder.reader().bytes.len()))
}

const fn config() -> Configuration<LittleEndian, Varint, Limit<MAX_LEN>> {
    bincode::config::standard().with_limit::<MAX_LEN>()
}

/// A reader that counts the reads.
struct Parts<'a> {
    bytes: &'a [u8],
    left: usize,
}

impl Reader for Parts<'_> {
    #[inline]
    fn read(&mut self, out: &mut [u8]) -> Result<(), DecodeError> {
        if !out.is_empty() {
            self.left = self.left.checked_sub(1).ok_or(DecodeError::LimitExceeded)?;
        }
        let short = || DecodeError::UnexpectedEnd { additional: out.len() - self.bytes.len() };
        let (read, rest) = self.bytes.split_at_checked(out.len()).ok_or_else(short)?;
        out.copy_from_slice(read);
        self.bytes = rest;
        Ok(())
    }

    #[inline]
    fn peek_read(&mut self, len: usize) -> Option<&[u8]> {
        // If no parts are left, the next read fails.
        self.bytes.get(..len).filter(|_| self.left > 0)
    }

    #[inline]
    fn consume(&mut self, len: usize) {
        self.left = self.left.saturating_sub(1);
        self.bytes = self.bytes.get(len..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(value: impl bincode::Encode) -> Vec<u8> {
        bincode::encode_to_vec(value, bincode::config::standard()).unwrap()
    }

    fn is_too_large<T: Decode<()>>(bytes: &[u8]) -> bool {
        matches!(decode_prefix::<T>(bytes), Err(DecodeError::LimitExceeded))
    }

    #[test]
    fn a_prefix_is_decoded_and_its_bytes_are_counted() {
        let value = (vec![String::new(); 100_000], Some(u64::MAX), "x".repeat(70_000), vec![7u8; 9_000_000]);
        let bytes = [encode(&value), vec![9; 3]].concat();
        let (decoded, used) = decode_prefix::<(Vec<String>, Option<u64>, String, Vec<u8>)>(&bytes).unwrap();
        assert!(decoded == value);
        assert_eq!(used, bytes.len() - 3);
        assert!(matches!(decode_prefix::<u64>(&[]), Err(DecodeError::UnexpectedEnd { .. })));
        assert!(decode_prefix::<[u64; 4]>(&[253, 1, 2]).is_err());
    }

    #[test]
    fn announced_memory_is_limited_by_the_length_of_the_input() {
        for (len, announced, is_refused) in
            [(100, 1_000, false), (100, 3_000, true), (70_000, 180_000, false), (70_000, 300_000, true)]
        {
            // A list of strings that announces more elements than it has.
            let bytes = [encode(announced as u64), vec![0; len]].concat();
            assert_eq!(is_too_large::<Vec<String>>(&bytes), is_refused, "{announced} in {len}");
        }
        // The same after another list that was decoded.
        let inner = encode(vec![vec![0u64; 2]; 10_000]);
        let bytes = [inner, encode(400_000u64)].concat();
        assert!(is_too_large::<(Vec<Vec<u64>>, Vec<String>)>(&bytes));
    }

    #[test]
    fn nested_lists_are_limited() {
        // Each element is one byte here and 24 bytes in memory: 96 MiB in total.
        let bytes = encode(vec![vec![String::new(); 1_000]; 4_000]);
        assert!(is_too_large::<Vec<Vec<String>>>(&bytes));
        let bytes = encode(vec![vec![String::new(); 1_000]; 200]);
        assert!(decode_prefix::<Vec<Vec<String>>>(&bytes).is_ok());
    }
}
