//! Where the requests of an HTTP/1 connection begin and end. hyper gets no more than the head of one until it has said what
//! body that has; then a chunked one can be checked before hyper reads it.

use super::chunked_framing::ChunkedFraming;

/// What body a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    /// Of this length.
    Length(u64),
    Chunked,
}

/// How far the bytes of a connection have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageFraming {
    /// Within a head, and in what of it.
    Head(HeadLine),
    /// At its end: what body it has is not known yet.
    HeadEnd,
    Length(u64),
    Chunked(ChunkedFraming),
    /// hyper sees it otherwise, or this is not HTTP/1: nothing is checked.
    Unchecked,
}

/// Where in the lines of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadLine {
    /// Before the first one: empty lines are skipped.
    First,
    Within,
    /// Behind a line feed.
    Lf,
    /// Behind a line feed and a carriage return.
    LfCr,
}

impl MessageFraming {
    pub(crate) const START: Self = Self::Head(HeadLine::First);

    /// hyper wants more; `body_framing` is what body the request has whose head it has read.
    pub(crate) fn set_body(&mut self, body_framing: Option<BodyFraming>) {
        if *self == Self::HeadEnd {
            *self = match body_framing {
                Some(BodyFraming::Length(0)) => Self::START,
                Some(BodyFraming::Length(len)) => Self::Length(len),
                Some(BodyFraming::Chunked) => Self::Chunked(ChunkedFraming::START),
                // It has not found the end of the head.
                None => Self::Unchecked,
            };
        }
    }

    /// How many of these bytes hyper gets now. None of them, where what comes is no body.
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
                let len = chunks.take(bytes);
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
    /// Where the head ends in these bytes: behind its first empty line, as hyper has it.
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

    /// What hyper gets of these bytes, which come in pieces of this length, for requests with these bodies.
    fn passed(bytes: &str, body_framing: &[BodyFraming], len: usize) -> Vec<String> {
        let (mut framing, mut body_framing) = (MessageFraming::START, body_framing.iter().copied());
        let mut passed = vec![String::new()];
        for mut piece in bytes.as_bytes().chunks(len) {
            while !piece.is_empty() {
                if framing == MessageFraming::HeadEnd {
                    framing.set_body(body_framing.next());
                    passed.push(String::new());
                }
                let now = framing.accept(piece);
                let last = passed.last_mut().unwrap();
                last.push_str(std::str::from_utf8(&piece[..now]).unwrap());
                if now == 0 {
                    last.push_str("<refused>");
                    return passed;
                }
                piece = &piece[now..];
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
            let got = passed(&bytes, &body_framing, len);
            let wanted = [
                get.to_owned(),
                bare.to_owned(),
                mixed.to_owned(),
                posted.to_owned(),
                format!("\r\n\r\nGET /{CHUNKED}"),
                format!("{body}{get}"),
            ];
            assert_eq!(got, wanted, "{len}");
        }
    }

    #[test]
    fn what_is_no_chunk_does_not_get_to_hyper() {
        for len in [1, 7, 1000] {
            let got =
                passed(&format!("{CHUNKED}1\r\nx\r\n5 \r\nhello\r\n0\r\n\r\n"), &[BodyFraming::Chunked], len);
            assert_eq!(got, [CHUNKED.to_owned(), "1\r\nx\r\n5 <refused>".to_owned()], "{len}");
        }
    }
}
