//! A client connection that uses as little processor time as possible.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LONGEST_ANSWER: usize = 1 << 20;

/// A keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A response.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    pub(crate) async fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends a request and waits for the answer. The buffer grows once, to the longest answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.send(request).await?;
        self.buffer.resize(self.buffer.len().max(4096), 0);
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err(io::Error::other("the server closed the connection"));
            }
            filled += read;
            if let Some((status, body)) = parse_complete(&self.buffer[..filled])? {
                return Ok(Answer { status, body: &self.buffer[body..filled] });
            }
            if filled == self.buffer.len() {
                if filled >= LONGEST_ANSWER {
                    return Err(io::Error::other("an answer longer than 1 MiB"));
                }
                self.buffer.resize(filled * 2, 0);
            }
        }
    }

    /// Sends a request without waiting for the answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await
    }

    /// Frees the buffer for answers.
    pub(crate) fn release_buffer(&mut self) {
        self.buffer = Vec::new();
    }
}

/// Returns the bytes of a GET request for a path.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\naccept: */*\r\n\r\n").into_bytes()
}

/// Returns the status of an answer and the offset of its body, once the answer is complete.
fn parse_complete(answer: &[u8]) -> io::Result<Option<(u16, usize)>> {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = str::from_utf8(&answer[..head]).map_err(io::Error::other)?;
    let status = text.get(9..12).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("answer without a status"))?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.ok_or_else(|| io::Error::other("answer without a content-length"))?;
    Ok((answer.len() >= head + 4 + length).then_some((status, head + 4)))
}
