//! Body of an outgoing response.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::connection::connection_state::Connection;
use super::connection::in_flight_guard::InFlightGuard;
use crate::execution::delivery::Delivery;
use crate::execution::streamed_body::{BrokenStream, StreamedBody};

/// Maximum size of a frame passed to an HTTP/2 stream. hyper buffers a frame until the client has room for it.
const FRAME_BYTES: usize = 64 * 1024;

pub(crate) struct ResponseBody {
    content: Content,
    conn: Rc<Connection>,
    /// HTTP/2 only: index of this response in the connection's list of streams, while it may wait for the client.
    stream: Option<usize>,
    /// Capture of the request, passed on once it is known whether the response was written.
    delivery: Option<Delivery>,
}

/// Content of a body.
enum Content {
    Whole(Bytes),
    /// Boxed, because few responses are streamed.
    Streamed(Box<StreamedContent>),
}

/// A body that is made while it is sent. Its request is in flight until then.
struct StreamedContent {
    body: StreamedBody,
    is_endless: bool,
    is_http2: bool,
    in_flight: InFlightGuard,
}

impl ResponseBody {
    /// Creates a body that is sent as one frame.
    pub(super) const fn whole(bytes: Bytes, conn: Rc<Connection>, delivery: Option<Delivery>) -> Self {
        Self { content: Content::Whole(bytes), conn, stream: None, delivery }
    }

    /// Creates a body that is sent in several frames and reports its progress to the connection.
    pub(super) fn framed(bytes: Bytes, conn: Rc<Connection>, delivery: Option<Delivery>) -> Self {
        let stream = Some(conn.start_stream());
        Self { content: Content::Whole(bytes), conn, stream, delivery }
    }

    /// Creates a body that is made while it is sent.
    pub(super) fn streamed(
        body: StreamedBody,
        in_flight: InFlightGuard,
        is_endless: bool,
        is_http2: bool,
    ) -> Self {
        let conn = Rc::clone(&in_flight.conn);
        conn.begin_streamed_body(is_endless);
        let content = StreamedContent { body, is_endless, is_http2, in_flight };
        Self { content: Content::Streamed(Box::new(content)), conn, stream: None, delivery: None }
    }

    fn is_taken(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Streamed(streamed) => streamed.body.is_ended(),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BrokenStream;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenStream>>> {
        let Self { content, conn, stream, delivery } = &mut *self;
        let bytes = match content {
            Content::Whole(bytes) => bytes,
            Content::Streamed(streamed) => {
                // hyper asks for a frame only when the client has room for it.
                if let Some(stream) = stream.take() {
                    conn.end_stream(stream);
                }
                let max = if streamed.is_http2 { FRAME_BYTES } else { usize::MAX };
                let frame = ready!(streamed.body.poll_frame(max, cx));
                *delivery = streamed.body.take_delivery().or(delivery.take());
                if streamed.is_http2 && matches!(frame, Some(Ok(_))) {
                    *stream = Some(conn.start_streamed_frame());
                }
                return Poll::Ready(frame);
            }
        };
        if bytes.is_empty() {
            return Poll::Ready(None);
        }
        let len = match stream {
            Some(stream) if bytes.len() > FRAME_BYTES => {
                conn.note_stream_progress(*stream);
                FRAME_BYTES
            }
            _ => bytes.len(),
        };
        Poll::Ready(Some(Ok(Frame::data(bytes.split_to(len)))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_taken()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Streamed(streamed) => streamed.body.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // If hyper did not take the whole body, the response was not delivered.
        if let Some(delivery) = self.delivery.take().filter(|_| self.is_taken()) {
            self.conn.add_delivery(delivery);
        }
        if let Some(stream) = self.stream {
            self.conn.end_stream(stream);
        }
        if let Content::Streamed(streamed) = &self.content {
            streamed.in_flight.conn.end_streamed_body(streamed.is_endless);
        }
    }
}
