//! The socket of a connection as hyper has it: the connection learns what happens on it. What hyper answers by itself is
//! not written to it, and that a client has closed its side is kept from hyper as long as an answer is due.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection_state::Connection;
use super::message_framing::MessageFraming;

/// What is shorter is put together before it is written.
const SHORT_BYTES: usize = 512;

pub(crate) struct SocketIo {
    /// What was read and has not been given to hyper: what it took to find out which protocol is spoken, and what came
    /// behind a head.
    rest: Vec<u8>,
    /// How much of that has been given.
    given: usize,
    framing: MessageFraming,
    conn: Rc<Connection>,
}

impl SocketIo {
    /// The socket that this connection holds, behind these bytes.
    pub(crate) const fn new(rest: Vec<u8>, framing: MessageFraming, conn: Rc<Connection>) -> Self {
        Self { rest, given: 0, framing, conn }
    }

    /// Gives hyper what it may have of what lies here.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let there = &self.rest[self.given..];
        let len = self.framing.accept(&there[..there.len().min(buf.remaining())]);
        buf.put_slice(&there[..len]);
        self.given += len;
        if self.given == self.rest.len() {
            (self.rest, self.given) = (Vec::new(), 0);
        }
        not_none(len)
    }

    /// The same of what has just been read; `before` is where that begins.
    fn give_read(&mut self, buf: &mut ReadBuf<'_>, before: usize) -> io::Result<()> {
        let read = &buf.filled()[before..];
        let len = self.framing.accept(read);
        if len < read.len() {
            (self.rest, self.given) = (read[len..].to_vec(), 0);
            buf.set_filled(before + len);
        }
        not_none(len)
    }

    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.conn.note_written(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.conn.note_write_waits(),
        }
        written
    }
}

/// hyper takes nothing at all for the end, which it is not.
fn not_none(len: usize) -> io::Result<()> {
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
        if !self.rest.is_empty() {
            self.conn.note_read();
            return Poll::Ready(self.give(buf));
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
                Poll::Ready(self.give_read(buf, before))
            }
            Poll::Pending => {
                self.conn.note_read_waits();
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for SocketIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.conn.intercepts_refusal(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = self.conn.with_socket(|socket| socket.poll_write(cx, buf));
        self.note(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // The kernel takes one short buffer with less ado than two.
        let len: usize = bufs.iter().map(|buf| buf.len()).sum();
        if len > SHORT_BYTES {
            let written = self.conn.with_socket(|socket| socket.poll_write_vectored(cx, bufs));
            return self.note(written);
        }
        let mut short = [0; SHORT_BYTES];
        let mut filled = 0;
        for buf in bufs {
            short[filled..filled + buf.len()].copy_from_slice(buf);
            filled += buf.len();
        }
        if self.conn.intercepts_refusal(&short[..filled]) {
            return Poll::Ready(Ok(filled));
        }
        let written = self.conn.with_socket(|socket| socket.poll_write(cx, &short[..filled]));
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.conn.with_socket(|socket| socket.poll_flush(cx)))?;
        self.conn.note_flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.conn.is_refused() {
            return Poll::Ready(Ok(()));
        }
        self.conn.with_socket(|socket| socket.poll_shutdown(cx))
    }
}
