//! Strict parser for the framing of a chunked body (RFC 9112, section 7.1).
//!
//! hyper accepts more than the standard allows: spaces and any number of zeros in a size, control characters in an
//! extension, lone line feeds in trailers. Request smuggling exploits such differences between two parsers of the same
//! connection.

/// Maximum number of digits of a size, which is all that fit into the number.
const MAX_DIGITS: u8 = 16;

/// Parser state: the part of the framing that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChunkedFraming {
    Size {
        digits: u8,
        size: u64,
    },
    /// Whitespace. Only an extension may follow or, after the name of an extension, its value.
    Space {
        size: u64,
        in_name: bool,
    },
    ExtensionStart(u64),
    ExtensionName(u64),
    ValueStart(u64),
    Value(u64),
    Quoted(u64),
    Escaped(u64),
    QuoteEnd(u64),
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
}

impl ChunkedFraming {
    pub(crate) const START: Self = Self::Size { digits: 0, size: 0 };

    /// Accepts the longest prefix of `bytes` that belongs to the body and is well-formed, and returns its length. If
    /// the prefix is not all of `bytes`, either the body is complete or the next byte is invalid.
    pub(crate) fn accept(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && *self != Self::Done {
            if let Self::Data(left) = *self {
                let len = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += len;
                let left = left - len as u64;
                *self = if left == 0 { Self::DataCr } else { Self::Data(left) };
                continue;
            }
            match self.next(bytes[at]) {
                Some(next) => *self = next,
                None => return at,
            }
            at += 1;
        }
        at
    }

    fn next(self, byte: u8) -> Option<Self> {
        let is_space = matches!(byte, b' ' | b'\t');
        let is_text = is_space || byte > b' ' && byte != 0x7f;
        Some(match (self, byte) {
            (Self::Size { digits, size }, _) if byte.is_ascii_hexdigit() && digits < MAX_DIGITS => {
                let digit = u64::from((byte as char).to_digit(16)?);
                Self::Size { digits: digits + 1, size: size << 4 | digit }
            }
            (Self::Size { digits: 1.., size }, b'\r')
            | (Self::ExtensionName(size) | Self::Value(size) | Self::QuoteEnd(size), b'\r') => {
                Self::SizeLf(size)
            }
            (Self::Size { digits: 1.., size }, b';')
            | (
                Self::Space { size, .. }
                | Self::ExtensionName(size)
                | Self::Value(size)
                | Self::QuoteEnd(size),
                b';',
            ) => Self::ExtensionStart(size),
            (Self::Size { digits: 1.., size } | Self::Value(size) | Self::QuoteEnd(size), _) if is_space => {
                Self::Space { size, in_name: false }
            }
            (Self::ExtensionName(size), _) if is_space => Self::Space { size, in_name: true },
            (Self::Space { size, in_name: true } | Self::ExtensionName(size), b'=') => Self::ValueStart(size),
            (Self::Space { .. } | Self::ExtensionStart(_) | Self::ValueStart(_), _) if is_space => self,
            (Self::ExtensionStart(size) | Self::ExtensionName(size), _) if is_token(byte) => {
                Self::ExtensionName(size)
            }
            (Self::ValueStart(size), b'"') => Self::Quoted(size),
            (Self::ValueStart(size) | Self::Value(size), _) if is_token(byte) => Self::Value(size),
            (Self::Quoted(size), b'"') => Self::QuoteEnd(size),
            (Self::Quoted(size), b'\\') => Self::Escaped(size),
            (Self::Quoted(size) | Self::Escaped(size), _) if is_text => Self::Quoted(size),
            (Self::SizeLf(0), b'\n') => Self::TrailerStart,
            (Self::SizeLf(size), b'\n') => Self::Data(size),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::START,
            (Self::TrailerStart, b'\r') => Self::EndLf,
            (Self::TrailerStart | Self::TrailerName, _) if is_token(byte) => Self::TrailerName,
            (Self::TrailerName, b':') => Self::TrailerValue,
            (Self::TrailerValue, b'\r') => Self::TrailerLf,
            (Self::TrailerValue, _) if is_text => Self::TrailerValue,
            (Self::TrailerLf, b'\n') => Self::TrailerStart,
            (Self::EndLf, b'\n') => Self::Done,
            _ => return None,
        })
    }
}

/// Returns true for a character of a token (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many bytes are accepted and whether they complete the body. Asserts that the result is the same in
    /// one piece and byte by byte.
    fn accepted(bytes: &[u8]) -> (usize, bool) {
        let mut whole = ChunkedFraming::START;
        let len = whole.accept(bytes);
        let mut bytewise = ChunkedFraming::START;
        let bytewise_len =
            bytes.iter().take_while(|byte| bytewise.accept(std::slice::from_ref(byte)) == 1).count();
        assert_eq!((len, whole), (bytewise_len, bytewise), "{:?}", bytes.escape_ascii().to_string());
        (len, whole == ChunkedFraming::Done)
    }

    #[test]
    fn a_well_formed_body_is_accepted_to_its_end() {
        for body in [
            "0\r\n\r\n",
            "000\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "0000000000000005\r\nhello\r\n0\r\n\r\n",
            "A\r\n0123456789\r\n1\r\n\n\r\n0\r\n\r\n",
            "1;a\r\nx\r\n0;b=c;d=\"e;\\\"\u{e9}\"\r\n\r\n",
            "1 ; a = b\t; c\r\nx\r\n0\r\n\r\n",
            "0\r\nx: y\r\nempty:\r\n\r\n",
        ] {
            assert_eq!(accepted(body.as_bytes()), (body.len(), true), "{body:?}");
            let more = format!("{body}GET / HTTP/1.1\r\n");
            assert_eq!(
                accepted(more.as_bytes()),
                (body.len(), true),
                "the next request is not part of {body:?}"
            );
            let short = &body.as_bytes()[..body.len() - 1];
            assert_eq!(accepted(short), (short.len(), false), "{body:?}");
        }
    }

    #[test]
    fn a_malformed_body_is_rejected_at_its_first_invalid_byte() {
        for (good, bad) in [
            ("", "\r\n"),
            ("", "+5\r\n"),
            ("", "-5\r\n"),
            ("", " 5\r\n"),
            ("", "\n5\r\n"),
            ("", ";a\r\n"),
            ("0", "x5\r\n"),
            ("5", "g\r\n"),
            ("5", "\n"),
            ("5 ", "\r\n"),
            ("5\t", "\r\n"),
            ("5 ", "5\r\n"),
            ("5 ", "a=b\r\n"),
            ("5\r", "hello"),
            ("5;", "\r\n"),
            ("5;a", "\n"),
            ("5;a\r", "b"),
            ("5;a", "\0\r\n"),
            ("5;a", "\x7f\r\n"),
            ("5;a", "\u{e9}\r\n"),
            ("5;a=", "\r\n"),
            ("5;a=b ", "\r\n"),
            ("5;a=\"b", "\n\""),
            ("5;a=\"b\"", "c\r\n"),
            ("0000000000000000", "5\r\n"),
            ("ffffffffffffffff", "f\r\n"),
            ("5\r\nhello", "\n0\r\n\r\n"),
            ("5\r\nhello", "o\r\n0\r\n\r\n"),
            ("5\r\nhello\r", "0\r\n\r\n"),
            ("0", "\n\r\n"),
            ("0\r\n", "\n"),
            ("0\r\n", " x: y\r\n\r\n"),
            ("0\r\n", ":path: y\r\n\r\n"),
            ("0\r\nx", " : y\r\n\r\n"),
            ("0\r\nx", "\r\n\r\n"),
            ("0\r\nx: y", "\n\r\n"),
            ("0\r\nx: y", "\0\r\n\r\n"),
            ("0\r\nx: y\r", "z\r\n\r\n"),
        ] {
            assert_eq!(accepted(format!("{good}{bad}").as_bytes()), (good.len(), false), "{good:?} {bad:?}");
        }
    }
}
