//! Decoding what may come from anywhere, within a budget of memory that depends on how many bytes there are.
//!
//! Encoded, an element of a list can be a single byte, and some hundred bytes in memory; and a list says how long it is before it
//! comes, for which memory is taken at once. Bincode's own limit is for what is outstanding at one time, so that lists within
//! lists unfold without end, and it is one for all lengths of input. So here
//!
//! - what is announced, and has not come, may take up no more than `ANNOUNCED_MAX`, and less where there are few bytes;
//! - all that is decoded consists of at most `MAX_PARTS` numbers, tags and lengths: what one of them becomes in memory
//!   is bounded by its type.

use bincode::Decode;
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::de::read::Reader;
use bincode::de::{Decoder, DecoderImpl};
use bincode::error::DecodeError;

/// The longest input, in bytes.
const MAX_LEN: usize = 128 << 20;
/// What may be announced for each byte there is, in bytes; a list of empty texts, which has the most, needs 24.
const ANNOUNCED: usize = 64;
/// What may be announced in any case.
const ANNOUNCED_MIN: usize = 64 << 10;
/// What may be announced at most.
const ANNOUNCED_MAX: usize = 6 << 20;
/// How many numbers, tags, lengths and texts there may be; a trace of as many events as are recorded has fewer.
const MAX_PARTS: usize = 256 << 10;

/// Decodes from the start of some bytes, and says how many of them it took.
///
/// # Errors
/// When they are no such thing, or would take up too much memory, which is [`DecodeError::LimitExceeded`].
pub fn decode_prefix<T: Decode<()>>(bytes: &[u8]) -> Result<(T, usize), DecodeError> {
    let announced = bytes.len().saturating_mul(ANNOUNCED).clamp(ANNOUNCED_MIN, ANNOUNCED_MAX);
    // The limit is part of bincode's types. What is less than it, is claimed before anything is read.
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

/// Bytes that count how often something is read from them.
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
        // Without parts left, what is read next fails.
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
    fn what_is_there_is_decoded_and_counted() {
        let value = (vec![String::new(); 100_000], Some(u64::MAX), "x".repeat(70_000), vec![7u8; 9_000_000]);
        let bytes = [encode(&value), vec![9; 3]].concat();
        let (decoded, used) = decode_prefix::<(Vec<String>, Option<u64>, String, Vec<u8>)>(&bytes).unwrap();
        assert!(decoded == value);
        assert_eq!(used, bytes.len() - 3);
        assert!(matches!(decode_prefix::<u64>(&[]), Err(DecodeError::UnexpectedEnd { .. })));
        assert!(decode_prefix::<[u64; 4]>(&[253, 1, 2]).is_err());
    }

    #[test]
    fn few_bytes_announce_little_and_many_no_more_than_a_budget() {
        for (len, announced, is_refused) in
            [(100, 1_000, false), (100, 3_000, true), (70_000, 180_000, false), (70_000, 300_000, true)]
        {
            // A list of texts that is said to be longer than it is.
            let bytes = [encode(announced as u64), vec![0; len]].concat();
            assert_eq!(is_too_large::<Vec<String>>(&bytes), is_refused, "{announced} in {len}");
        }
        // The same within others that have come.
        let inner = encode(vec![vec![0u64; 2]; 10_000]);
        let bytes = [inner, encode(400_000u64)].concat();
        assert!(is_too_large::<(Vec<Vec<u64>>, Vec<String>)>(&bytes));
    }

    #[test]
    fn lists_within_lists_do_not_unfold_without_end() {
        // Each element is a byte here, and 24 in memory: 96 MiB of them.
        let bytes = encode(vec![vec![String::new(); 1_000]; 4_000]);
        assert!(is_too_large::<Vec<Vec<String>>>(&bytes));
        let bytes = encode(vec![vec![String::new(); 1_000]; 200]);
        assert!(decode_prefix::<Vec<Vec<String>>>(&bytes).is_ok());
    }
}
