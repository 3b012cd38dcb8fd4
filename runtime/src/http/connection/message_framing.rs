//! Tracks where the requests of an HTTP/1 connection begin and end.
//!
//! hyper receives only the head of a request until it has determined how the body is framed. A chunked body can then be
//! checked before hyper reads it.

use super::chunked_framing::ChunkedFraming;

/// Framing of a request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    /// The length in bytes is known.
    Length(u64),
    Chunked,
}

/// Position within the requests of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageFraming {
    /// Within a head.
    Head(HeadLine),
    /// At the end of a head. The framing of the body is not known yet.
    HeadEnd,
    /// Within a body. Contains the number of bytes left.
    Length(u64),
    Chunked(ChunkedFraming),
    /// The connection is not HTTP/1, or hyper disagrees about the end of a head. Nothing is checked.
    Unchecked,
}

/// Position within the lines of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadLine {
    /// Before the first line. Empty lines are skipped.
    First,
    Within,
    /// After a line feed.
    Lf,
    /// After a line feed and a carriage return.
    LfCr,
}

impl MessageFraming {
    pub(crate) const START: Self = Self::Head(HeadLine::First);

    /// Sets the framing of the body when hyper reads on after a head. `body_framing` is `None` if hyper has not parsed
    /// the head.
    pub(crate) fn set_body(&mut self, body_framing: Option<BodyFraming>) {
        if *self == Self::HeadEnd {
            *self = match body_framing {
                Some(BodyFraming::Length(0)) => Self::START,
                Some(BodyFraming::Length(len)) => Self::Length(len),
                Some(BodyFraming::Chunked) => Self::Chunked(ChunkedFraming::START),
                // hyper has not found the end of the head.
                None => Self::Unchecked,
            };
        }
    }

    /// Returns how many of these bytes hyper may read now: 0 if the body is malformed.
    pub(crate) fn accept(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Head(line) => match line.end(bytes) {
                Some(end) => {
                    *self = Self::HeadEnd;
                    end
                }
                None => bytes.len(),
            },
            Self::Length(left) => {
                let len = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= len as u64;
                if *left == 0 {
                    *self = Self::START;
                }
                len
            }
            Self::Chunked(chunks) => {
                let len = chunks.accept(bytes);
                if *chunks == ChunkedFraming::Done {
                    *self = Self::START;
                }
                len
            }
            Self::HeadEnd | Self::Unchecked => bytes.len(),
        }
    }
}

impl HeadLine {
    /// Returns the position after the head, which ends, as in hyper, with its first empty line. `None` if these bytes
    /// do not contain it.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        if *self == Self::First {
            at = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
            *self = Self::Within;
        }
        loop {
            match (*self, bytes.get(at)?) {
                (Self::Lf | Self::LfCr, b'\n') => return Some(at + 1),
                (Self::Lf, b'\r') => {
                    *self = Self::LfCr;
                    at += 1;
                }
                _ => {
                    *self = Self::Within;
                    at += memchr::memchr(b'\n', &bytes[at..])? + 1;
                    *self = Self::Lf;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &str = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";

    /// Returns what hyper reads if `bytes` arrive in pieces of length `len`. A new string starts after each head.
    fn passed(bytes: &str, body_framing: &[BodyFraming], len: usize) -> Vec<String> {
        let (mut framing, mut body_framing) = (MessageFraming::START, body_framing.iter().copied());
        let mut passed = vec![String::new()];
        for mut piece in bytes.as_bytes().chunks(len) {
            while !piece.is_empty() {
                if framing == MessageFraming::HeadEnd {
                    framing.set_body(body_framing.next());
                    passed.push(String::new());
                }
                let accepted = framing.accept(piece);
                let last = passed.last_mut().unwrap();
                last.push_str(std::str::from_utf8(&piece[..accepted]).unwrap());
                if accepted == 0 {
                    last.push_str("<rejected>");
                    return passed;
                }
                piece = &piece[accepted..];
            }
        }
        passed
    }

    #[test]
    fn each_request_ends_where_the_next_begins() {
        let get = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let bare = "\r\n\nGET / HTTP/1.1\nhost: a\n\n";
        let mixed = "GET / HTTP/1.1\r\nhost: a\r\n\n";
        let posted = "POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n";
        let body = "1\r\n\n\r\n0\r\n\r\n";
        let bytes = [get, bare, mixed, posted, "\r\n\r\nGET /", CHUNKED, body, get].concat();
        let length = BodyFraming::Length;
        let body_framing = [length(0), length(0), length(0), length(9), BodyFraming::Chunked, length(0)];
        for len in 1..=bytes.len() {
            let actual = passed(&bytes, &body_framing, len);
            let expected = [
                get.to_owned(),
                bare.to_owned(),
                mixed.to_owned(),
                posted.to_owned(),
                format!("\r\n\r\nGET /{CHUNKED}"),
                format!("{body}{get}"),
            ];
            assert_eq!(actual, expected, "{len}");
        }
    }

    #[test]
    fn a_malformed_chunk_does_not_reach_hyper() {
        for len in [1, 7, 1000] {
            let actual =
                passed(&format!("{CHUNKED}1\r\nx\r\n5 \r\nhello\r\n0\r\n\r\n"), &[BodyFraming::Chunked], len);
            assert_eq!(actual, [CHUNKED.to_owned(), "1\r\nx\r\n5 <rejected>".to_owned()], "{len}");
        }
    }
}
