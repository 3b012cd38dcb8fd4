//! Encodes and decodes values with bincode. No other file may name its functions.

use bincode::config::{Configuration, LittleEndian, Varint};
use bincode::de::{BorrowDecode, BorrowDecoder, Decoder};
use bincode::enc::write::Writer;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};
use zerver_trace::bounded_decode;

use super::format_error::FormatError;

const fn config() -> Configuration<LittleEndian, Varint> {
    bincode::config::standard()
}

struct Append<'a>(&'a mut Vec<u8>);

impl Writer for Append<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// The last field of a record. Records of a schema before it end without it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode)]
pub(crate) struct LastField<T>(pub(crate) Option<T>);

impl<T> LastField<T> {
    fn of(decoded: Result<Option<T>, DecodeError>) -> Result<Self, DecodeError> {
        match decoded {
            Err(DecodeError::UnexpectedEnd { .. }) => Ok(Self(None)),
            field => field.map(Self),
        }
    }
}

impl<C, T: Decode<C>> Decode<C> for LastField<T> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::of(Option::decode(decoder))
    }
}

impl<'de, C, T: BorrowDecode<'de, C>> BorrowDecode<'de, C> for LastField<T> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::of(Option::borrow_decode(decoder))
    }
}

/// Appends the encoding of `value`.
pub(crate) fn encode_into<T: Encode>(value: T, out: &mut Vec<u8>) {
    // Writing to memory cannot fail, and every recorded type can be encoded.
    let _ = bincode::encode_into_writer(value, Append(out), config());
}

/// Appends the encoding of a text. Faster than [`encode_into`] for short ones.
pub(crate) fn encode_text_into(text: &str, out: &mut Vec<u8>) {
    const SHORT: usize = 250;
    if text.len() <= SHORT {
        out.push(text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    } else {
        encode_into(text, out);
    }
}

/// Returns the encoding of `value`.
pub(crate) fn encode<T: Encode>(value: T) -> Vec<u8> {
    let mut out = Vec::new();
    encode_into(value, &mut out);
    out
}

/// Decodes a value from the front of `bytes`, and returns it with the bytes that follow.
pub(crate) fn decode_prefix<T: Decode<()>>(bytes: &[u8]) -> Result<(T, &[u8]), FormatError> {
    match bounded_decode::decode_prefix(bytes) {
        Ok((value, used)) => Ok((value, &bytes[used..])),
        Err(DecodeError::LimitExceeded) => Err(FormatError::TooLarge),
        Err(error) => Err(FormatError::Malformed(error.to_string())),
    }
}

/// Decodes a value that must occupy all of `bytes`.
pub(crate) fn decode<T: Decode<()>>(bytes: &[u8]) -> Result<T, FormatError> {
    match decode_prefix(bytes)? {
        (value, []) => Ok(value),
        (_, rest) => Err(FormatError::Trailing(rest.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_functions_encode_a_text_alike() {
        for len in [0, 1, 249, 250, 251, 252, 70_000] {
            let (text, mut out) = ("x".repeat(len), Vec::new());
            encode_text_into(&text, &mut out);
            assert_eq!(out, encode(&text));
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error() {
        // Lengths within the body.
        for bomb in
            [&[253, 255, 255, 255, 255, 255, 255, 255, 127][..], &[252, 0, 0, 0, 128], &[252, 0, 0, 0, 4]]
        {
            assert!(decode::<Vec<u64>>(bomb).is_err());
            assert!(decode::<Vec<Vec<String>>>(bomb).is_err());
            assert!(decode::<String>(bomb).is_err());
        }
        assert_eq!(decode::<u8>(&[1, 2]), Err(FormatError::Trailing(1)));
    }
}
