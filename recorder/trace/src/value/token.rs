//! The tokens of a value, and the check that a run of bytes is one value.
//!
//! A token is a tag byte and what the tag says: nothing, a number as LEB128 (signed ones in zigzag order, as in
//! Protocol Buffers), a float as its bits in little endian, or a length and so many bytes. Sequences, maps and structs
//! run to their `END`; in a struct, a name (length and bytes, no tag) stands before each value.

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
/// The text of a number that none of the other kinds holds exactly, as JSON writes it. Nothing that is serialised has
/// one: it comes from JSON that is read.
pub(super) const NUMBER: u8 = 19;
/// Ends a sequence or a map. In a struct, where names carry no tag, it is a name's length that no name has.
pub(super) const END: u8 = 255;

/// The longest name of a field or a variant; its length is one byte, and [`END`] is not a length.
pub(super) const MAX_NAME: usize = 254;

pub(super) fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

pub(super) fn unzigzag(n: u64) -> i64 {
    ((n >> 1) as i64) ^ -((n & 1) as i64)
}

/// A token that has been read.
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

/// Reads tokens one after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
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

    /// The next field's name in a struct; none at its end.
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
                Token::Char(n.ok_or(ValueError::Malformed("a character that is none"))?)
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

    /// Passes over one whole value, without recursion.
    pub(super) fn skip(&mut self) -> Result<(), ValueError> {
        self.skip_within(MAX_DEPTH)
    }

    /// Passes over one whole value and gives its tokens.
    pub(super) fn take_value(&mut self) -> Result<&'a [u8], ValueError> {
        let rest = self.rest;
        self.skip()?;
        Ok(&rest[..rest.len() - self.rest.len()])
    }

    fn skip_within(&mut self, max_depth: usize) -> Result<(), ValueError> {
        // What is open, outermost first: a bit each would do, a byte each is simpler.
        let mut open = [0u8; MAX_DEPTH];
        let open = &mut open[..max_depth.min(MAX_DEPTH)];
        let mut depth = 0;
        loop {
            // Within a struct a name comes first; within a map the parity tells key from value.
            if depth > 0 && open[depth - 1] == STRUCT && self.field()?.is_none() {
                depth -= 1;
            } else {
                match self.token()? {
                    Token::End => {
                        match depth.checked_sub(1).map(|top| open[top]) {
                            Some(SEQ | MAP) => depth -= 1,
                            _ => return Err(ValueError::Malformed("an end of nothing")),
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
            // A value has just ended; the wrappers around it that hold one value end with it, and a map changes sides.
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

/// In [`Cursor::skip`], a map whose key has been read.
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
    let is_of_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    match bytes.iter().any(u8::is_ascii_digit) && bytes.iter().all(is_of_number) {
        true => text(bytes),
        false => Err(ValueError::Malformed("a number that is none")),
    }
}

/// Checks that `bytes` are one value within the limits.
pub(super) fn check(bytes: &[u8]) -> Result<(), ValueError> {
    check_within(bytes, MAX_DEPTH)
}

/// The same where it must not be nested deeper than this.
pub(super) fn check_within(bytes: &[u8], max_depth: usize) -> Result<(), ValueError> {
    if bytes.len() > MAX_LEN {
        return Err(ValueError::TooLong);
    }
    let mut cursor = Cursor::new(bytes);
    cursor.skip_within(max_depth)?;
    if cursor.is_at_end() { Ok(()) } else { Err(ValueError::Trailing) }
}
