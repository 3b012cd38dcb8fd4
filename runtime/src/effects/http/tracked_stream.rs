//! A connection that can tell whether a request on it could be sent again: an earlier request was answered on it, and no
//! byte has come back since the last one was sent. The other side then closed it while it was idle.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};

/// Facts about the use of a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct ConnectionUse(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    has_answered: AtomicBool,
    /// Number of reads since the last write that were successful. The end of the connection is one of them.
    reads_since_write: AtomicU32,
}

impl ConnectionUse {
    /// Notes that a request was answered on the connection.
    pub(super) fn answered(&self) {
        self.0.has_answered.store(true, Ordering::Relaxed);
    }

    /// Returns true if the other side closed the connection while it was idle, as far as can be known. `has_ended` is true
    /// if the end of the connection was read, and false if the connection was reset.
    pub(super) fn was_idle(&self, has_ended: bool) -> bool {
        let Flags { has_answered, reads_since_write } = &*self.0;
        has_answered.load(Ordering::Relaxed)
            && reads_since_write.load(Ordering::Relaxed) == u32::from(has_ended)
    }
}

/// A connection that notes when bytes are read and written.
#[derive(Debug)]
pub(super) struct TrackedStream<S> {
    stream: S,
    connection_use: ConnectionUse,
}

impl<S> TrackedStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, connection_use: ConnectionUse::default() }
    }

    fn note_write(&self) {
        self.connection_use.0.reads_since_write.store(0, Ordering::Relaxed);
    }
}

impl<S: Connection> Connection for TrackedStream<S> {
    fn connected(&self) -> Connected {
        self.stream.connected().extra(self.connection_use.clone())
    }
}

impl<S: Read + Unpin> Read for TrackedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.connection_use.0.reads_since_write.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }
}

impl<S: Write + Unpin> Write for TrackedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.note_write();
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.note_write();
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
