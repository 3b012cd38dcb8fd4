//! Body of a response that another server sends.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::execution::delivery::Delivery;
use crate::execution::streamed_body::{BrokenStream, StreamedBody};

/// Body of the response of a [`FlowService`](super::FlowService). The request is recorded once the server has taken the
/// body; if the server drops it before, the trace shows that the response was not delivered.
pub struct MountedBody {
    content: Content,
    /// False until the server has the response.
    is_received: bool,
    /// Capture of the request, passed on when this is dropped. `None` if it is not kept.
    delivery: Option<Delivery>,
}

enum Content {
    Whole(Bytes),
    /// Made while it is sent. Boxed, because few responses are streamed.
    Streamed(Box<StreamedBody>),
}

impl MountedBody {
    pub(super) const fn new(bytes: Bytes, delivery: Option<Delivery>) -> Self {
        Self { content: Content::Whole(bytes), is_received: false, delivery }
    }

    pub(super) fn streamed(body: StreamedBody) -> Self {
        Self { content: Content::Streamed(Box::new(body)), is_received: false, delivery: None }
    }

    /// Records that the server has the response. Until then, even an empty body has not been delivered.
    pub(super) const fn mark_received(&mut self) {
        self.is_received = true;
    }
}

impl fmt::Debug for MountedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MountedBody").field("size", &self.size_hint()).finish_non_exhaustive()
    }
}

impl Body for MountedBody {
    type Data = Bytes;
    type Error = BrokenStream;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenStream>>> {
        let Self { content, delivery, .. } = &mut *self;
        match content {
            Content::Whole(bytes) => match std::mem::take(bytes) {
                bytes if bytes.is_empty() => Poll::Ready(None),
                bytes => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            },
            Content::Streamed(body) => {
                let frame = ready!(body.poll_frame(usize::MAX, cx));
                *delivery = body.take_delivery().or(delivery.take());
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Streamed(body) => body.is_ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Streamed(body) => body.size_hint(),
        }
    }
}

impl Drop for MountedBody {
    fn drop(&mut self) {
        if let Some(delivery) = self.delivery.take().filter(|_| self.is_received && self.is_end_stream()) {
            delivery.complete();
        }
    }
}
