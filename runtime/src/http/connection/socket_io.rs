//! Socket of a connection as hyper sees it.
//!
//! It notes reads and writes on the connection. It intercepts hyper's own responses to malformed requests, and hides a
//! close by the client from hyper as long as a response is due.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection_state::Connection;
use super::message_framing::MessageFraming;

/// Size in bytes up to which the buffers of a vectored write are joined into one.
const SHORT_BYTES: usize = 512;

pub(crate) struct SocketIo {
    /// Bytes that were read but not all passed to hyper yet: the bytes that identified the protocol, or those that
    /// arrived after a head.
    unpassed: Vec<u8>,
    /// Number of those bytes that have been passed to hyper.
    passed: usize,
    framing: MessageFraming,
    conn: Rc<Connection>,
}

impl SocketIo {
    /// Creates a reader of `unpassed` and then of the connection's socket, and a writer to that socket.
    pub(crate) const fn new(unpassed: Vec<u8>, framing: MessageFraming, conn: Rc<Connection>) -> Self {
        Self { unpassed, passed: 0, framing, conn }
    }

    /// Returns the bytes that were read, and that hyper has not asked for.
    #[cfg(feature = "websocket")]
    pub(super) fn unpassed(&self) -> &[u8] {
        &self.unpassed[self.passed..]
    }

    /// Passes to hyper the bytes that were read earlier, as far as the framing allows.
    fn pass_earlier(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let bytes = &self.unpassed[self.passed..];
        let len = self.framing.accept(&bytes[..bytes.len().min(buf.remaining())]);
        buf.put_slice(&bytes[..len]);
        self.passed += len;
        if self.passed == self.unpassed.len() {
            (self.unpassed, self.passed) = (Vec::new(), 0);
        }
        check_not_empty(len)
    }

    /// Passes to hyper the bytes of `buf` that were just read, as far as the framing allows. They begin at `start`.
    fn pass_read(&mut self, buf: &mut ReadBuf<'_>, start: usize) -> io::Result<()> {
        let read = &buf.filled()[start..];
        let len = self.framing.accept(read);
        if len < read.len() {
            (self.unpassed, self.passed) = (read[len..].to_vec(), 0);
            buf.set_filled(start + len);
        }
        check_not_empty(len)
    }

    fn note_write(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.conn.note_written(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.conn.note_write_pending(),
        }
        written
    }
}

/// Fails if no byte was accepted, because hyper would take an empty read for the end of the stream.
fn check_not_empty(len: usize) -> io::Result<()> {
    match len {
        0 => Err(io::Error::new(io::ErrorKind::InvalidData, "not a chunk")),
        _ => Ok(()),
    }
}

impl AsyncRead for SocketIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.framing == MessageFraming::HeadEnd {
            let body_framing = self.conn.take_body_framing();
            self.framing.set_body(body_framing);
        }
        if !self.unpassed.is_empty() {
            self.conn.note_read();
            return Poll::Ready(self.pass_earlier(buf));
        }
        if self.conn.hides_client_close() {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        match self.conn.with_socket(|socket| socket.poll_read(cx, buf)) {
            Poll::Ready(Ok(())) if buf.filled().len() == before => match self.conn.note_client_closed() {
                true => Poll::Pending,
                false => Poll::Ready(Ok(())),
            },
            Poll::Ready(result) => {
                result?;
                self.conn.note_read();
                Poll::Ready(self.pass_read(buf, before))
            }
            Poll::Pending => {
                self.conn.note_read_pending();
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for SocketIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.conn.intercepts_hyper_error(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = self.conn.with_socket(|socket| socket.poll_write(cx, buf));
        self.note_write(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // Writing one short buffer is cheaper than writing two with a vectored call.
        let len: usize = bufs.iter().map(|buf| buf.len()).sum();
        if len > SHORT_BYTES {
            let written = self.conn.with_socket(|socket| socket.poll_write_vectored(cx, bufs));
            return self.note_write(written);
        }
        let mut short = [0; SHORT_BYTES];
        let mut filled = 0;
        for buf in bufs {
            short[filled..filled + buf.len()].copy_from_slice(buf);
            filled += buf.len();
        }
        if self.conn.intercepts_hyper_error(&short[..filled]) {
            return Poll::Ready(Ok(filled));
        }
        let written = self.conn.with_socket(|socket| socket.poll_write(cx, &short[..filled]));
        self.note_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.conn.with_socket(|socket| socket.poll_flush(cx));
        if flushed.is_pending() {
            // TLS has encrypted bytes that the client has not read. A plain socket is always flushed.
            self.conn.note_write_pending();
        }
        ready!(flushed)?;
        self.conn.note_flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.conn.has_intercepted_error() {
            return Poll::Ready(Ok(()));
        }
        self.conn.with_socket(|socket| socket.poll_shutdown(cx))
    }
}
