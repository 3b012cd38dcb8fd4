//! The socket of a client: plain, or with TLS. Without the Cargo feature `tls` it is always plain.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The socket of a client.
#[derive(Debug)]
pub(crate) enum ClientSocket {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

#[cfg(feature = "websocket")]
impl ClientSocket {
    /// Moves the socket to the runtime of the current task, so that it no longer waits for steps. The bytes below TLS still pass
    /// through the runtime of the worker.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub(crate) fn into_current_runtime(self) -> io::Result<Self> {
        match self {
            Self::Plain(socket) => TcpStream::from_std(socket.into_std()?).map(Self::Plain),
            #[cfg(feature = "tls")]
            Self::Tls(socket) => Ok(Self::Tls(socket)),
        }
    }
}

/// Calls a method of either socket.
macro_rules! either {
    ($socket:expr, $inner:ident => $call:expr) => {
        match $socket.get_mut() {
            ClientSocket::Plain($inner) => $call,
            #[cfg(feature = "tls")]
            ClientSocket::Tls($inner) => $call,
        }
    };
}

impl AsFd for ClientSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Plain(socket) => socket.as_fd(),
            #[cfg(feature = "tls")]
            Self::Tls(socket) => socket.get_ref().0.as_fd(),
        }
    }
}

impl AsyncRead for ClientSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            #[cfg(feature = "tls")]
            Self::Tls(socket) => match Pin::new(socket).poll_read(cx, buf) {
                // The client has closed the connection without saying so in TLS. Requests say where they end.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                polled => polled,
            },
        }
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, socket => Pin::new(socket).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, socket => Pin::new(socket).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, socket => Pin::new(socket).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, socket => Pin::new(socket).poll_shutdown(cx))
    }
}
