//! Sanitises the output of the service line by line, since it may quote data that a client sent. Colours are removed, and
//! every other control sequence is escaped.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use zerver_trace::text::clean_bytes;

/// Maximum length of a line. Longer ones are split, so that a line that never ends needs no more memory.
const MAX_LINE: u64 = 16 * 1024;
/// How long to wait for the last lines of a service that has exited: its child processes may keep its output open.
const LAST_LINES: Duration = Duration::from_millis(500);

/// An output that is being read.
pub(super) struct Relay(Receiver<()>);

impl Relay {
    /// Hands each line on, on a thread of its own, until the output is closed.
    pub(super) fn start(from: impl Read + Send + 'static, line: impl Fn(&str) + Send + 'static) -> Self {
        let (end, ended) = mpsc::channel();
        thread::spawn(move || {
            let _end: mpsc::Sender<()> = end;
            each_line(from, line);
        });
        Self(ended)
    }

    /// Waits for the last lines.
    pub(super) fn finish(self) {
        // Nothing is ever sent: it is over when the other side is gone.
        let _ = self.0.recv_timeout(LAST_LINES);
    }
}

fn each_line(from: impl Read, line: impl Fn(&str)) {
    let mut from = BufReader::new(from);
    let mut bytes = Vec::new();
    while matches!((&mut from).take(MAX_LINE).read_until(b'\n', &mut bytes), Ok(1..)) {
        line(&safe(&bytes));
        bytes.clear();
    }
}

/// A line without its end, safe for a terminal.
fn safe(line: &[u8]) -> String {
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
        each_line(from, |line| lines.borrow_mut().push(line.to_owned()));
        lines.into_inner()
    }

    #[test]
    fn lines_are_safe_whatever_the_service_prints() {
        assert_eq!(
            lines(b"one\r\n\x1b[1;31mred\x1b[0m \x1b]0;title\x07 \xc2\x9b31m \xff\n\x1b[2J\xe2\x80\xae\nend"),
            ["one", "red \\u{1b}]0;title\\u{7} \\u{9b}31m \\xff", "\\u{1b}[2J\\u{202e}", "end"],
        );
        assert_eq!(lines(b"\x1b[31\n\x1b\n"), ["\\u{1b}[31", "\\u{1b}"]);
    }

    #[test]
    fn a_line_without_an_end_is_told_in_parts() {
        let told = lines(&vec![b'a'; 40_000]);
        assert_eq!(told.iter().map(String::len).collect::<Vec<_>>(), [16_384, 16_384, 7_232]);
    }
}
