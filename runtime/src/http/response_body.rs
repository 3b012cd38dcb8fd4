//! Body of an outgoing response.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::connection::connection_state::Connection;
use crate::execution::delivery::Delivery;

/// Maximum size of a frame passed to an HTTP/2 stream. hyper buffers a frame until the client has room for it.
const FRAME_BYTES: usize = 64 * 1024;

pub(crate) struct ResponseBody {
    bytes: Bytes,
    conn: Rc<Connection>,
    /// HTTP/2 only: index of this response in the connection's list of streams.
    stream: Option<usize>,
    /// Capture of the request, passed on once it is known whether the response was written.
    delivery: Option<Delivery>,
}

impl ResponseBody {
    /// Creates a body that is sent as one frame.
    pub(super) const fn whole(bytes: Bytes, conn: Rc<Connection>, delivery: Option<Delivery>) -> Self {
        Self { bytes, conn, stream: None, delivery }
    }

    /// Creates a body that is sent in several frames and reports its progress to the connection.
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
            Some(stream) if self.bytes.len() > FRAME_BYTES => {
                self.conn.note_stream_progress(stream);
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
        // If hyper did not take the whole body, the response was not delivered.
        if let Some(delivery) = self.delivery.take().filter(|_| self.bytes.is_empty()) {
            self.conn.add_delivery(delivery);
        }
        if let Some(stream) = self.stream {
            self.conn.end_stream(stream);
        }
    }
}
