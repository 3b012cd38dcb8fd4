//! Messages on a stream: JSON with a head that gives its length, as in HTTP.

use std::io::{self, BufRead, Read as _, Write};

use serde_json::Value;

/// Maximum length of a message, in bytes. The longest ones of clients list breakpoints.
const MAX_MESSAGE: u64 = 4 << 20;
/// Maximum length of a line of the head, in bytes.
const MAX_LINE: u64 = 1 << 10;
/// Maximum number of lines of a head.
const MAX_LINES: usize = 32;

/// Content of a frame.
#[derive(Debug, PartialEq)]
pub(crate) enum Received {
    /// JSON.
    Message(Value),
    /// Anything else, with the reason. The next frame can be read.
    Malformed(String),
}

/// Receives one frame. Returns `None` if the stream ends before the frame begins.
///
/// # Errors
/// If the stream fails or ends within the frame, or the head does not say where the frame ends.
pub(crate) fn receive(input: &mut impl BufRead) -> io::Result<Option<Received>> {
    let mut length = None;
    for at in 0.. {
        let mut line = Vec::new();
        if input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 && at == 0 {
            return Ok(None);
        }
        if !line.ends_with(b"\n") || at == MAX_LINES {
            return Err(broken("the head of a message does not end"));
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        // Some clients end a message with an empty line.
        if line.is_empty() && (at > 0 || length.is_some()) {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.trim().eq_ignore_ascii_case("content-length")
        {
            let number: Option<u64> = value.trim().parse().ok().filter(|length| *length <= MAX_MESSAGE);
            length = Some(number.ok_or_else(|| {
                broken(format!("the length of a message must be a number of at most {MAX_MESSAGE}"))
            })?);
        }
    }
    let length = length.ok_or_else(|| broken("a message has no Content-Length"))?;
    // The length is not trusted: memory is allocated as bytes arrive.
    let mut bytes = Vec::new();
    if (input.by_ref().take(length).read_to_end(&mut bytes)? as u64) < length {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the input ended within a message"));
    }
    Ok(Some(match serde_json::from_slice(&bytes) {
        Ok(message) => Received::Message(message),
        Err(error) => Received::Malformed(error.to_string()),
    }))
}

/// Sends one frame.
pub(crate) fn send(output: &mut impl Write, message: &Value) -> io::Result<()> {
    let body = message.to_string();
    // One buffer, so that one system call sends it.
    output.write_all(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
    output.flush()
}

fn broken(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_received_as_it_was_sent() {
        let mut bytes = Vec::new();
        for message in [json!({"seq": 1}), json!({"text": "ä\r\n\r\n"})] {
            send(&mut bytes, &message).unwrap();
            assert_eq!(receive(&mut &bytes[..]).unwrap(), Some(Received::Message(message)));
            bytes.clear();
        }
        assert_eq!(receive(&mut &b""[..]).unwrap(), None);
        let lenient = b"content-type: x\ncontent-length:2\n\n{}";
        assert_eq!(receive(&mut &lenient[..]).unwrap(), Some(Received::Message(json!({}))));
    }

    #[test]
    fn malformed_json_leaves_the_next_message_readable() {
        let mut input = &b"Content-Length: 3\r\n\r\n{\"aContent-Length: 2\r\n\r\n[]"[..];
        assert!(matches!(receive(&mut input).unwrap(), Some(Received::Malformed(_))));
        assert_eq!(receive(&mut input).unwrap(), Some(Received::Message(json!([]))));
        let deep = "[".repeat(100_000);
        let framed = format!("Content-Length: {}\r\n\r\n{deep}", deep.len());
        assert!(matches!(receive(&mut framed.as_bytes()).unwrap(), Some(Received::Malformed(_))));
    }

    #[test]
    fn a_frame_without_an_end_is_an_error() {
        let endless = [b'a'; 4096];
        for input in [
            &b"Content-Length: 10\r\n\r\n{}"[..],
            b"Content-Length: 99999999999\r\n\r\n",
            b"Content-Length: -1\r\n\r\n",
            b"Content-Type: x\r\n\r\n{}",
            b"Content-Length: 2\r\n",
            &endless,
        ] {
            assert!(receive(&mut &*input).is_err(), "{}", String::from_utf8_lossy(input));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_received_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut input = &bytes[..];
            while let Ok(Some(_)) = receive(&mut input) {}
        }
    }
}
