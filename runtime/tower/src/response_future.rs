//! The future of a response.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderName, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use zerver::layer::{RecordedByFlow, request_id_header};

use crate::response_body::ResponseBody;
use crate::tracked::Tracked;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pin_project! {
    /// The future of a response whose request is recorded.
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        // `None` if the request is not recorded, or once there is a response.
        tracked: Option<Tracked>,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) const fn new(inner: F, tracked: Option<Tracked>) -> Self {
        Self { inner, tracked }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
    E: fmt::Display,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = match this.tracked {
            Some(tracked) => ready!(tracked.observe(|| this.inner.poll(context))),
            None => ready!(this.inner.poll(context)),
        };
        let mut tracked = this.tracked.take();
        Poll::Ready(match result {
            Ok(mut response) => {
                if response.extensions().get::<RecordedByFlow>().is_some()
                    && let Some(mut tracked) = tracked.take()
                {
                    tracked.discard();
                }
                if let Some(tracked) = &mut tracked {
                    // An id that the service has given to the request stays.
                    let id = response.headers_mut().entry(REQUEST_ID);
                    id.or_insert_with(|| request_id_header(tracked.exchange.id));
                    let len = response.body().size_hint().exact();
                    tracked.respond(response.status(), response.headers(), len);
                }
                Ok(response.map(|body| ResponseBody::new(body, tracked)))
            }
            Err(error) => {
                if let Some(tracked) = &mut tracked {
                    tracked.fail(error.to_string());
                }
                Err(error)
            }
        })
    }
}

impl<F: fmt::Debug> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseFuture").field(&self.inner).finish()
    }
}
