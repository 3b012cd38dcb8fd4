//! The body of a request: it passes through, and its beginning is recorded as the handler reads it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::exchange::Exchange;

pin_project! {
    /// The body of a request that is recorded as it is read. It is the body that it contains in every other respect.
    pub struct RequestBody<B> {
        #[pin]
        inner: B,
        // `None` if the request is not recorded, or once the body has ended.
        exchange: Option<Arc<Exchange>>,
    }
}

impl<B> RequestBody<B> {
    pub(crate) const fn new(inner: B, exchange: Option<Arc<Exchange>>) -> Self {
        Self { inner, exchange }
    }
}

impl<B: Body<Data = Bytes>> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(context));
        if let Some(exchange) = this.exchange {
            if let Some(chunk) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
                exchange.received(chunk);
            }
            let has_failed = matches!(frame, Some(Err(_)));
            if frame.is_none() || (!has_failed && this.inner.is_end_stream()) {
                exchange.received_all();
                *this.exchange = None;
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: std::fmt::Debug> std::fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RequestBody").field(&self.inner).finish()
    }
}

impl<B: Default> Default for RequestBody<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
    }
}
