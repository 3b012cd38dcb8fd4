//! The body of an answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::connection::connection_state::Connection;
use crate::execution::delivery::Delivery;

/// So much is handed to an HTTP/2 stream at once; hyper keeps it until the client has room for it.
const FRAME_BYTES: usize = 64 * 1024;

pub(crate) struct ResponseBody {
    bytes: Bytes,
    conn: Rc<Connection>,
    /// HTTP/2: what the connection calls this answer.
    stream: Option<usize>,
    /// Whoever waits to learn whether it was written.
    delivery: Option<Delivery>,
}

impl ResponseBody {
    /// All at once.
    pub(super) const fn whole(bytes: Bytes, conn: Rc<Connection>, delivery: Option<Delivery>) -> Self {
        Self { bytes, conn, stream: None, delivery }
    }

    /// In frames, whose progress the connection sees.
    pub(super) fn framed(bytes: Bytes, conn: Rc<Connection>, delivery: Option<Delivery>) -> Self {
        let stream = Some(conn.start_stream());
        Self { bytes, conn, stream, delivery }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let len = match self.stream {
            Some(at) if self.bytes.len() > FRAME_BYTES => {
                self.conn.note_stream_progress(at);
                FRAME_BYTES
            }
            _ => self.bytes.len(),
        };
        Poll::Ready(Some(Ok(Frame::data(self.bytes.split_to(len)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // One of which hyper wanted no more is not delivered.
        if let Some(delivery) = self.delivery.take().filter(|_| self.bytes.is_empty()) {
            self.conn.add_delivery(delivery);
        }
        if let Some(at) = self.stream {
            self.conn.end_stream(at);
        }
    }
}
