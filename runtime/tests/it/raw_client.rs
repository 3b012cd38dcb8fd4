//! A client that sends bytes, so that tests can send malformed requests.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Maximum time that a test waits for anything. After that time, the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let socket = TcpStream::connect(addr).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { socket, buffer: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends bytes, unless the other side has closed the connection.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    pub(crate) fn half_close(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Sends a request and returns its answer.
    pub(crate) fn request(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        self.send(bytes);
        self.answer().expect("the connection was closed without an answer")
    }

    /// Returns the next answer, or `None` if the connection is closed.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        self.answer_to(true)
    }

    /// Returns true if the next answer starts within `limit`.
    pub(crate) fn is_answered_within(&mut self, limit: Duration) -> bool {
        self.socket.set_read_timeout(Some(limit)).unwrap();
        let answered = self.socket.peek(&mut [0]).is_ok_and(|bytes| bytes > 0);
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        answered
    }

    /// Returns the next answer to a HEAD request, or `None` if the connection is closed.
    pub(crate) fn head_answer(&mut self) -> Option<Answer> {
        self.answer_to(false)
    }

    fn answer_to(&mut self, with_body: bool) -> Option<Answer> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill() {
                assert!(self.buffer.is_empty(), "the connection was closed within a head: {:?}", self.buffer);
                return None;
            }
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap();
        let mut answer = Answer { status, head, body: String::new() };
        let len = answer.header("content-length").map_or(0, |len| len.parse().unwrap());
        if with_body {
            while self.buffer.len() < len {
                assert!(self.fill(), "the connection was closed within a body");
            }
            answer.body = String::from_utf8(self.buffer.drain(..len).collect()).unwrap();
        }
        Some(answer)
    }

    /// Returns the next chunk of a body in chunks: an empty one is the end, and `None` means that the connection was closed.
    pub(crate) fn chunk(&mut self) -> Option<String> {
        let end = loop {
            if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                break at;
            }
            if !self.fill() {
                return None;
            }
        };
        let size = str::from_utf8(&self.buffer[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        while self.buffer.len() < end + size + 4 {
            if !self.fill() {
                return None;
            }
        }
        let chunk = self.buffer.drain(..end + size + 4).skip(end + 2).take(size).collect();
        Some(String::from_utf8(chunk).unwrap())
    }

    /// Returns everything up to the end of the connection.
    pub(crate) fn rest(&mut self) -> String {
        while self.fill() {}
        String::from_utf8(std::mem::take(&mut self.buffer)).unwrap()
    }

    /// Returns what is left of a body in chunks, and true if it is complete.
    pub(crate) fn chunks(&mut self) -> (String, bool) {
        let mut body = String::new();
        while let Some(chunk) = self.chunk() {
            if chunk.is_empty() {
                return (body, true);
            }
            body.push_str(&chunk);
        }
        (body, false)
    }

    /// Reads until the other side closes the connection.
    pub(crate) fn drain(&mut self) {
        while self.fill() {}
    }

    /// Returns true if the other side closes the connection without sending more.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.fill()
    }

    /// Reads some bytes. Returns false if the connection is closed.
    fn fill(&mut self) -> bool {
        let mut some = [0; 4096];
        match self.socket.read(&mut some) {
            Ok(0) => false,
            Ok(read) => {
                self.buffer.extend_from_slice(&some[..read]);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no answer: {error}"),
        }
    }
}

impl Answer {
    /// Returns true if there is a `Retry-After` of 1 to 30 s. It depends on how long other requests have waited, which can be
    /// long on a busy machine.
    pub(crate) fn has_retry_after(&self) -> bool {
        self.header("retry-after").is_some_and(|seconds| (1..=30).contains(&seconds.parse::<u64>().unwrap()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Returns a complete GET request for this target.
pub(crate) fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}
