//! Numbers in few bytes: variable-length integers (LEB128), and differences between numbers that are close.

use crate::format::FormatError;

/// Visits the numbers of a structure, to extract them or to put them back.
pub(crate) trait NumberVisitor {
    /// Visits a time, which is usually shortly after the previous one.
    fn time(&mut self, at_ns: &mut u64);

    /// Visits the duration of something that began at the previous time. The next time is relative to its end.
    fn span(&mut self, ns: &mut u64);

    /// Visits a number that is unrelated to the others.
    fn plain(&mut self, number: &mut u64);
}

/// Extracts numbers, and leaves zeros in their place.
pub(crate) struct DeltaWriter<'a> {
    out: &'a mut Vec<u8>,
    last: u64,
}

impl<'a> DeltaWriter<'a> {
    pub(crate) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, last: 0 }
    }
}

impl NumberVisitor for DeltaWriter<'_> {
    fn time(&mut self, at_ns: &mut u64) {
        let at_ns = std::mem::take(at_ns);
        write_delta(at_ns, self.last, self.out);
        self.last = at_ns;
    }

    fn span(&mut self, ns: &mut u64) {
        let ns = std::mem::take(ns);
        write(ns, self.out);
        self.last = self.last.wrapping_add(ns);
    }

    fn plain(&mut self, number: &mut u64) {
        write(std::mem::take(number), self.out);
    }
}

/// Puts numbers back. Invalid bytes yield arbitrary numbers, and an error from [`DeltaReader::finish`].
pub(crate) struct DeltaReader<'a> {
    rest: &'a [u8],
    last: u64,
    failed: Option<FormatError>,
}

impl<'a> DeltaReader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, last: 0, failed: None }
    }

    /// Returns the bytes after the numbers.
    pub(crate) fn finish(self) -> Result<&'a [u8], FormatError> {
        self.failed.map_or(Ok(self.rest), Err)
    }

    fn next(&mut self, read: impl FnOnce(&mut &'a [u8]) -> Result<u64, FormatError>) -> u64 {
        read(&mut self.rest).unwrap_or_else(|error| {
            self.failed = Some(error);
            0
        })
    }
}

impl NumberVisitor for DeltaReader<'_> {
    fn time(&mut self, at_ns: &mut u64) {
        let last = self.last;
        *at_ns = self.next(|rest| read_delta(last, rest));
        self.last = *at_ns;
    }

    fn span(&mut self, ns: &mut u64) {
        *ns = self.next(read);
        self.last = self.last.wrapping_add(*ns);
    }

    fn plain(&mut self, number: &mut u64) {
        *number = self.next(read);
    }
}

/// Appends a number: 7 bits per byte, the lowest first; the eighth bit is set if more bytes follow.
#[inline]
pub(crate) fn write(mut number: u64, out: &mut Vec<u8>) {
    // Most numbers take one byte or two.
    if number < 0x80 {
        return out.push(number as u8);
    }
    if number < 0x4000 {
        return out.extend_from_slice(&[number as u8 | 0x80, (number >> 7) as u8]);
    }
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a number from the front of `bytes`.
pub(crate) fn read(bytes: &mut &[u8]) -> Result<u64, FormatError> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let Some((&byte, rest)) = bytes.split_first() else {
            return Err(FormatError::Malformed("a number ends too early".to_owned()));
        };
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(FormatError::Malformed("a number is too long".to_owned()))
}

/// Skips as many numbers at the front of `bytes`.
pub(crate) fn skip(count: usize, bytes: &mut &[u8]) -> Result<(), FormatError> {
    for _ in 0..count {
        match bytes.iter().take(10).position(|byte| *byte < 0x80) {
            Some(last) => *bytes = &bytes[last + 1..],
            // Too short or too long.
            None => return read(bytes).map(|_| ()),
        }
    }
    Ok(())
}

/// Appends the signed difference of a number from `last`.
#[inline]
pub(crate) fn write_delta(number: u64, last: u64, out: &mut Vec<u8>) {
    let ahead = number.wrapping_sub(last) as i64;
    write((ahead << 1 ^ ahead >> 63) as u64, out);
}

/// Reads a number that was written as its difference from `last`.
pub(crate) fn read_delta(last: u64, bytes: &mut &[u8]) -> Result<u64, FormatError> {
    let coded = read(bytes)?;
    Ok(last.wrapping_add(coded >> 1 ^ (coded & 1).wrapping_neg()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_survive_a_round_trip(numbers in prop::collection::vec((0..3u8, any::<u64>(), 0..64u32), 0..20)) {
            let given: Vec<_> = numbers.iter().map(|(kind, number, shift)| (*kind, number >> shift)).collect();
            let each = |numbers: &mut [(u8, u64)], to: &mut dyn NumberVisitor| {
                for (kind, number) in numbers {
                    match kind {
                        0 => to.time(number),
                        1 => to.span(number),
                        _ => to.plain(number),
                    }
                }
            };
            let (mut taken, mut bytes) = (given.clone(), Vec::new());
            each(&mut taken, &mut DeltaWriter::new(&mut bytes));
            prop_assert!(taken.iter().all(|(_, number)| *number == 0));
            for cut in 0..bytes.len() {
                let mut reader = DeltaReader::new(&bytes[..cut]);
                each(&mut taken.clone(), &mut reader);
                prop_assert!(reader.finish().is_err());
            }
            let mut rest = &bytes[..];
            prop_assert_eq!(skip(given.len(), &mut rest), Ok(()));
            prop_assert!(rest.is_empty());
            prop_assert!(given.is_empty() || skip(given.len(), &mut &bytes[..bytes.len() - 1]).is_err());
            bytes.push(7);
            let mut reader = DeltaReader::new(&bytes);
            each(&mut taken, &mut reader);
            prop_assert_eq!(reader.finish(), Ok(&[7][..]));
            prop_assert_eq!(taken, given);
        }
    }

    #[test]
    fn small_differences_take_one_byte_and_overlong_numbers_are_errors() {
        let mut out = Vec::new();
        for (number, last) in [(7, 7), (1_000_000_063, 1_000_000_000), (5, 68), (u64::MAX, 0), (0, u64::MAX)]
        {
            write_delta(number, last, &mut out);
        }
        assert_eq!(out, [0, 126, 125, 1, 2]);
        assert!(read(&mut &[0x80; 11][..]).is_err());
        assert!(read(&mut &[][..]).is_err());
    }
}
