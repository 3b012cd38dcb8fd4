//! Body of a response that another server sends.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::execution::delivery::Delivery;

/// Body of the response of a [`FlowService`](super::FlowService). The request is recorded once the server has taken the
/// body; if the server drops it before, the trace shows that the response was not delivered.
pub struct MountedBody {
    bytes: Bytes,
    /// False until the server has the response.
    is_received: bool,
    /// Capture of the request, passed on when this is dropped. `None` if it is not kept.
    delivery: Option<Delivery>,
}

impl MountedBody {
    pub(super) const fn new(bytes: Bytes, delivery: Option<Delivery>) -> Self {
        Self { bytes, is_received: false, delivery }
    }

    /// Records that the server has the response. Until then, even an empty body has not been delivered.
    pub(super) const fn mark_received(&mut self) {
        self.is_received = true;
    }
}

impl fmt::Debug for MountedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MountedBody").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Body for MountedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match std::mem::take(&mut self.bytes) {
            bytes if bytes.is_empty() => Poll::Ready(None),
            bytes => Poll::Ready(Some(Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

impl Drop for MountedBody {
    fn drop(&mut self) {
        if let Some(delivery) = self.delivery.take().filter(|_| self.is_received && self.bytes.is_empty()) {
            delivery.complete();
        }
    }
}
