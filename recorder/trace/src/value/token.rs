//! The token format of values, and the check that bytes are exactly one value.
//!
//! A token is a tag byte with a payload that depends on the tag: none, a number in LEB128 (signed numbers in zigzag
//! order, as in Protocol Buffers), the bits of a float in little endian, or a length followed by bytes. Sequences, maps
//! and structs end with `END`. In a struct, each value is preceded by a name: length and bytes, without a tag.

use super::{MAX_DEPTH, MAX_LEN, ValueError};

pub(super) const UNIT: u8 = 0;
pub(super) const NONE: u8 = 1;
pub(super) const SOME: u8 = 2;
pub(super) const FALSE: u8 = 3;
pub(super) const TRUE: u8 = 4;
pub(super) const UINT: u8 = 5;
pub(super) const INT: u8 = 6;
pub(super) const U128: u8 = 7;
pub(super) const I128: u8 = 8;
pub(super) const F32: u8 = 9;
pub(super) const F64: u8 = 10;
pub(super) const CHAR: u8 = 11;
pub(super) const STR: u8 = 12;
pub(super) const BYTES: u8 = 13;
pub(super) const SEQ: u8 = 14;
pub(super) const MAP: u8 = 15;
pub(super) const STRUCT: u8 = 16;
pub(super) const UNIT_VARIANT: u8 = 17;
pub(super) const VARIANT: u8 = 18;
/// Text of a number that no other kind represents exactly, in JSON syntax. It results only from parsing JSON, never from
/// serialization.
pub(super) const NUMBER: u8 = 19;
/// End of a sequence or map. In a struct, where names have no tag, it takes the place of a name's length, which it
/// cannot be.
pub(super) const END: u8 = 255;

/// Maximum length of the name of a field or variant: a length is one byte, and cannot be [`END`].
pub(super) const MAX_NAME: usize = 254;

/// Name of the newtype that marks bytes as the tokens of a [`super::Value`], to be written as that value.
pub(super) const VALUE_NEWTYPE: &str = "$zerver::Value";

pub(super) fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

pub(super) fn unzigzag(n: u64) -> i64 {
    ((n >> 1) as i64) ^ -((n & 1) as i64)
}

/// A token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    Unit,
    None,
    Some,
    Bool(bool),
    Uint(u64),
    Int(i64),
    U128(u128),
    I128(i128),
    F32(f32),
    F64(f64),
    Char(char),
    Number(&'a str),
    Str(&'a str),
    Bytes(&'a [u8]),
    Seq,
    Map,
    Struct,
    UnitVariant(&'a str),
    Variant(&'a str),
    End,
}

/// Reads tokens in sequence.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenReader<'a> {
    rest: &'a [u8],
}

impl<'a> TokenReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek_tag(&self) -> Result<u8, ValueError> {
        self.rest.first().copied().ok_or(ValueError::Truncated)
    }

    fn byte(&mut self) -> Result<u8, ValueError> {
        let (&first, rest) = self.rest.split_first().ok_or(ValueError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], ValueError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(ValueError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], ValueError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(ValueError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn number(&mut self) -> Result<u64, ValueError> {
        let (mut n, mut shift) = (0u64, 0u32);
        loop {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(ValueError::Malformed("a number over 64 bits"));
            }
            n |= bits << shift;
            if byte < 0x80 {
                return Ok(n);
            }
            shift += 7;
            if shift > 63 {
                return Err(ValueError::Malformed("a number over 64 bits"));
            }
        }
    }

    fn sized(&mut self) -> Result<&'a [u8], ValueError> {
        let len = self.number()?;
        self.take(usize::try_from(len).map_err(|_| ValueError::Truncated)?)
    }

    fn name(&mut self) -> Result<&'a str, ValueError> {
        let len = self.byte()?;
        if len == END {
            return Err(ValueError::Malformed("an end where a name should be"));
        }
        text(self.take(usize::from(len))?)
    }

    /// Returns the name of the next field of a struct, or `None` at its end.
    pub(super) fn field(&mut self) -> Result<Option<&'a str>, ValueError> {
        if self.peek_tag()? == END {
            self.byte()?;
            return Ok(None);
        }
        self.name().map(Some)
    }

    pub(super) fn token(&mut self) -> Result<Token<'a>, ValueError> {
        Ok(match self.byte()? {
            UNIT => Token::Unit,
            NONE => Token::None,
            SOME => Token::Some,
            FALSE => Token::Bool(false),
            TRUE => Token::Bool(true),
            UINT => Token::Uint(self.number()?),
            INT => Token::Int(unzigzag(self.number()?)),
            U128 => Token::U128(u128::from_le_bytes(self.fixed()?)),
            I128 => Token::I128(i128::from_le_bytes(self.fixed()?)),
            F32 => Token::F32(f32::from_le_bytes(self.fixed()?)),
            F64 => Token::F64(f64::from_le_bytes(self.fixed()?)),
            CHAR => {
                let n = u32::try_from(self.number()?).ok().and_then(char::from_u32);
                Token::Char(n.ok_or(ValueError::Malformed("an invalid character"))?)
            }
            NUMBER => Token::Number(number(self.sized()?)?),
            STR => Token::Str(text(self.sized()?)?),
            BYTES => Token::Bytes(self.sized()?),
            SEQ => Token::Seq,
            MAP => Token::Map,
            STRUCT => Token::Struct,
            UNIT_VARIANT => Token::UnitVariant(self.name()?),
            VARIANT => Token::Variant(self.name()?),
            END => Token::End,
            _ => return Err(ValueError::Malformed("an unknown tag")),
        })
    }

    /// Skips one complete value, without recursion.
    pub(super) fn skip(&mut self) -> Result<(), ValueError> {
        self.skip_within(MAX_DEPTH)
    }

    /// Skips one complete value and returns its tokens.
    pub(super) fn take_value(&mut self) -> Result<&'a [u8], ValueError> {
        let rest = self.rest;
        self.skip()?;
        Ok(&rest[..rest.len() - self.rest.len()])
    }

    fn skip_within(&mut self, max_depth: usize) -> Result<(), ValueError> {
        // Open containers, outermost first. One bit each would be enough; one byte each is simpler.
        let mut open = [0u8; MAX_DEPTH];
        let open = &mut open[..max_depth.min(MAX_DEPTH)];
        let mut depth = 0;
        loop {
            // In a struct, a name precedes each value. In a map, the parity distinguishes keys from values.
            if depth > 0 && open[depth - 1] == STRUCT && self.field()?.is_none() {
                depth -= 1;
            } else {
                match self.token()? {
                    Token::End => {
                        match depth.checked_sub(1).map(|top| open[top]) {
                            Some(SEQ | MAP) => depth -= 1,
                            _ => return Err(ValueError::Malformed("an unexpected end")),
                        };
                    }
                    Token::Some | Token::Variant(_) => {
                        push(open, &mut depth, SOME)?;
                        continue;
                    }
                    Token::Seq => {
                        push(open, &mut depth, SEQ)?;
                        continue;
                    }
                    Token::Map => {
                        push(open, &mut depth, MAP)?;
                        continue;
                    }
                    Token::Struct => {
                        push(open, &mut depth, STRUCT)?;
                        continue;
                    }
                    _ => {}
                }
            }
            // A value has just ended. Wrappers of one value end with it, and a map switches between key and value.
            loop {
                match depth.checked_sub(1).map(|top| &mut open[top]) {
                    None => return Ok(()),
                    Some(&mut SOME) => depth -= 1,
                    Some(side @ &mut MAP) => {
                        *side = MAP_VALUE;
                        break;
                    }
                    Some(side @ &mut MAP_VALUE) => {
                        *side = MAP;
                        break;
                    }
                    Some(_) => break,
                }
            }
        }
    }
}

/// A map whose key has been read, in [`TokenReader::skip`].
const MAP_VALUE: u8 = 100;

fn push(open: &mut [u8], depth: &mut usize, what: u8) -> Result<(), ValueError> {
    *open.get_mut(*depth).ok_or(ValueError::TooDeep)? = what;
    *depth += 1;
    Ok(())
}

fn text(bytes: &[u8]) -> Result<&str, ValueError> {
    str::from_utf8(bytes).map_err(|_| ValueError::Malformed("text that is not UTF-8"))
}

fn number(bytes: &[u8]) -> Result<&str, ValueError> {
    let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    match bytes.iter().any(u8::is_ascii_digit) && bytes.iter().all(is_part) {
        true => text(bytes),
        false => Err(ValueError::Malformed("an invalid number")),
    }
}

/// Checks that `bytes` are exactly one value within the limits.
pub(super) fn check(bytes: &[u8]) -> Result<(), ValueError> {
    check_within(bytes, MAX_DEPTH)
}

/// Checks that `bytes` are exactly one value with at most the given nesting.
pub(super) fn check_within(bytes: &[u8], max_depth: usize) -> Result<(), ValueError> {
    if bytes.len() > MAX_LEN {
        return Err(ValueError::TooLong);
    }
    let mut cursor = TokenReader::new(bytes);
    cursor.skip_within(max_depth)?;
    if cursor.is_at_end() { Ok(()) } else { Err(ValueError::Trailing) }
}
