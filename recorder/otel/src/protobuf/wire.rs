//! The wire format of Protocol Buffers: fields with a number, each a varint, a fixed number of bytes, or a length and
//! bytes.

/// Type of a field on the wire: it determines how the field ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldValue<'a> {
    /// An integer of variable length.
    Varint(u64),
    /// Eight bytes, in little endian.
    Fixed64(u64),
    /// Four bytes, in little endian.
    Fixed32(u32),
    /// Bytes: a text, or a message.
    Bytes(&'a [u8]),
}

impl<'a> FieldValue<'a> {
    /// Returns the bytes of a text or a message, which are empty for a field of another type.
    pub(super) const fn bytes(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    /// Returns the text. Bytes that are not UTF-8 are replaced.
    pub(super) fn text(self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// Returns the number, in whichever form it is written.
    pub(super) fn number(self) -> u64 {
        match self {
            Self::Varint(number) | Self::Fixed64(number) => number,
            Self::Fixed32(number) => number.into(),
            Self::Bytes(_) => 0,
        }
    }
}

/// Appends fields to a message.
#[derive(Debug, Default)]
pub(super) struct MessageWriter(Vec<u8>);

impl MessageWriter {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn tag(&mut self, field: u32, wire_type: u8) {
        self.varint(u64::from(field) << 3 | u64::from(wire_type));
    }

    /// Appends an integer, even if it is 0.
    pub(super) fn integer(&mut self, field: u32, number: u64) {
        self.tag(field, 0);
        self.varint(number);
    }

    /// Appends eight bytes, even if they are 0.
    pub(super) fn fixed64(&mut self, field: u32, number: u64) {
        self.tag(field, 1);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// Appends four bytes unless they are 0, which is the default.
    pub(super) fn fixed32(&mut self, field: u32, number: u32) {
        if number != 0 {
            self.tag(field, 5);
            self.0.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// Appends bytes, even if there are none.
    pub(super) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Appends a text unless it is empty, which is the default.
    pub(super) fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
    }

    /// Appends a message.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }
}

/// The fields of a message, in order.
#[derive(Debug)]
pub(super) struct FieldReader<'a>(&'a [u8]);

/// A message that ends within a field, or contains a field of an unknown type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl<'a> FieldReader<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// Returns the next field and its number, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, FieldValue<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let field = u32::try_from(tag >> 3).ok().filter(|field| *field > 0).ok_or(Malformed)?;
        let value = match tag & 7 {
            0 => FieldValue::Varint(self.varint()?),
            1 => FieldValue::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                FieldValue::Bytes(self.take(len)?)
            }
            5 => FieldValue::Fixed32(u32::from_le_bytes(self.array()?)),
            // Groups, which OTLP does not have.
            _ => return Err(Malformed),
        };
        Ok(Some((field, value)))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_were_written() {
        let mut writer = MessageWriter::default();
        for number in [0, 127, 128, 300, u64::MAX] {
            writer.integer(1, number);
        }
        writer.fixed64(2, u64::MAX - 1);
        writer.fixed32(3, 7);
        writer.text(1000, "text");
        writer.message(16, |inner| inner.integer(1, 5));
        let bytes = writer.into_bytes();
        let mut reader = FieldReader::new(&bytes);
        let mut fields = Vec::new();
        while let Some(field) = reader.next().unwrap() {
            fields.push(field);
        }
        use FieldValue::{Bytes, Fixed32, Fixed64, Varint};
        let expected = [
            (1, Varint(0)),
            (1, Varint(127)),
            (1, Varint(128)),
            (1, Varint(300)),
            (1, Varint(u64::MAX)),
            (2, Fixed64(u64::MAX - 1)),
            (3, Fixed32(7)),
            (1000, Bytes(b"text")),
            (16, Bytes(&[8, 5])),
        ];
        assert_eq!(fields, expected);
        for cut in 1..bytes.len() {
            let mut reader = FieldReader::new(&bytes[..cut]);
            while let Ok(Some(_)) = reader.next() {}
        }
    }

    #[test]
    fn a_field_that_does_not_end_is_an_error() {
        for bytes in [
            &[8][..],
            &[8, 0x80],
            &[9, 0],
            &[10, 5, 1],
            &[13, 0],
            &[11],
            &[0, 0],
            &[10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            &[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        ] {
            assert_eq!(FieldReader::new(bytes).next(), Err(Malformed), "{bytes:?}");
        }
    }
}
