//! Output of child processes, read line by line. A service may print data that a client sent, so every line is sanitized:
//! colors are removed, and every other control sequence is escaped.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use zerver_trace::text::clean_bytes;

/// Maximum length of a line, in bytes. Longer ones are split, so that memory stays bounded.
const MAX_LINE: usize = 16 * 1024;
/// Maximum wait for the last lines after a process has exited: its own child processes may keep the output open.
const LAST_LINES: Duration = Duration::from_millis(500);

/// An output that is read on another thread.
pub(crate) struct Relay(Receiver<()>);

impl Relay {
    /// Passes each line to `line` until the output is closed.
    pub(crate) fn start(from: impl Read + Send + 'static, line: impl FnMut(&str) + Send + 'static) -> Self {
        Self::start_split(from, b"\n", line)
    }

    /// Like [`Relay::start`], with lines that end at any of these bytes.
    pub(crate) fn start_split(
        from: impl Read + Send + 'static,
        ends: &'static [u8],
        line: impl FnMut(&str) + Send + 'static,
    ) -> Self {
        let (end, ended) = mpsc::channel();
        thread::spawn(move || {
            let _end: mpsc::Sender<()> = end;
            each_line(from, ends, line);
        });
        Self(ended)
    }

    /// Waits for the last lines.
    pub(crate) fn finish(self) {
        // Nothing is ever sent: the wait ends when the sender is dropped.
        let _ = self.0.recv_timeout(LAST_LINES);
    }
}

/// Passes each line to `line`, sanitized and without its end.
pub(crate) fn each_line(from: impl Read, ends: &[u8], mut line: impl FnMut(&str)) {
    let mut from = BufReader::new(from);
    let mut bytes = Vec::new();
    loop {
        let available = match from.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        if available.is_empty() {
            break;
        }
        let room = MAX_LINE - bytes.len();
        let end = available.iter().take(room).position(|byte| ends.contains(byte));
        let taken = end.map_or(available.len().min(room), |at| at + 1);
        bytes.extend_from_slice(&available[..taken]);
        from.consume(taken);
        if end.is_some() || bytes.len() == MAX_LINE {
            line(&sanitized(&bytes));
            bytes.clear();
        }
    }
    if !bytes.is_empty() {
        line(&sanitized(&bytes));
    }
}

/// Returns a line without its end, safe for a terminal.
fn sanitized(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (mut plain, mut rest) = (Vec::with_capacity(line.len()), line);
    while let Some(at) = rest.windows(2).position(|two| two == b"\x1b[") {
        plain.extend_from_slice(&rest[..at]);
        let len =
            rest[at + 2..].iter().take_while(|b| b.is_ascii_digit() || matches!(b, b';' | b':')).count();
        let end = at + 2 + len;
        if rest.get(end) == Some(&b'm') {
            rest = &rest[end + 1..];
        } else {
            plain.extend_from_slice(&rest[at..end]);
            rest = &rest[end..];
        }
    }
    plain.extend_from_slice(rest);
    clean_bytes(&plain)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn lines(from: &[u8]) -> Vec<String> {
        let lines = RefCell::new(Vec::new());
        each_line(from, b"\n", |line| lines.borrow_mut().push(line.to_owned()));
        lines.into_inner()
    }

    #[test]
    fn lines_are_safe_no_matter_what_the_service_prints() {
        assert_eq!(
            lines(b"one\r\n\x1b[1;31mred\x1b[0m \x1b]0;title\x07 \xc2\x9b31m \xff\n\x1b[2J\xe2\x80\xae\nend"),
            ["one", "red \\u{1b}]0;title\\u{7} \\u{9b}31m \\xff", "\\u{1b}[2J\\u{202e}", "end"],
        );
        assert_eq!(lines(b"\x1b[31\n\x1b\n"), ["\\u{1b}[31", "\\u{1b}"]);
    }

    #[test]
    fn a_line_without_an_end_is_split() {
        let split = lines(&vec![b'a'; 40_000]);
        assert_eq!(split.iter().map(String::len).collect::<Vec<_>>(), [16_384, 16_384, 7_232]);
    }
}
