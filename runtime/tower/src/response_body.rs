//! The body of a response: it passes through, its beginning is recorded, and its end is the end of the request.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::tracked::Tracked;

pin_project! {
    /// The body of a response that is recorded as it is sent. It is the body that it contains in every other respect.
    pub struct ResponseBody<B> {
        #[pin]
        inner: B,
        // `None` if the request is not recorded, or once its end was recorded.
        tracked: Option<Tracked>,
    }
}

impl<B: Body> ResponseBody<B> {
    pub(crate) fn new(inner: B, mut tracked: Option<Tracked>) -> Self {
        if inner.is_end_stream()
            && let Some(mut tracked) = tracked.take()
        {
            tracked.complete();
        }
        Self { inner, tracked }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: fmt::Display,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let Some(tracked) = this.tracked else { return this.inner.poll_frame(context) };
        let frame = ready!(tracked.observe(|| this.inner.as_mut().poll_frame(context)));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(chunk) = frame.data_ref() {
                    tracked.sent(chunk);
                }
                if let Some(trailers) = frame.trailers_ref() {
                    tracked.sent_trailers(trailers);
                }
                // Nothing follows trailers, and a server need not ask.
                if frame.is_trailers() || this.inner.is_end_stream() {
                    tracked.complete();
                    *this.tracked = None;
                }
            }
            Some(Err(error)) => {
                tracked.fail(error.to_string());
                *this.tracked = None;
            }
            None => {
                tracked.complete();
                *this.tracked = None;
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

impl<B: fmt::Debug> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseBody").field(&self.inner).finish()
    }
}

impl<B: Default> Default for ResponseBody<B> {
    fn default() -> Self {
        Self { inner: B::default(), tracked: None }
    }
}
