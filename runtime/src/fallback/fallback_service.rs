//! The fallback without its type parameters.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;
use zerver_trace::{Class, FlowInfo, StepInfo};

use super::fallback_body::FallbackBody;
use crate::effects::BoxFuture;

/// Error of a service or a body.
type BoxError = Box<dyn Error + Send + Sync>;

/// Body of a response, whatever its type was.
pub(super) type AnyBody = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

type Call =
    dyn Fn(http::Request<FallbackBody>) -> BoxFuture<Result<http::Response<AnyBody>, BoxError>> + Send + Sync;

/// The service that answers what no flow takes.
pub(crate) struct Fallback {
    call: Box<Call>,
    /// Recorded as the flow of its requests.
    pub(crate) flow: Arc<FlowInfo>,
}

impl Fallback {
    pub(crate) fn new<S, B>(service: S) -> Self
    where
        S: Service<http::Request<FallbackBody>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let call = move |request| -> BoxFuture<Result<http::Response<AnyBody>, BoxError>> {
            let mut service = service.clone();
            Box::pin(async move {
                std::future::poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
                let response = service.call(request).await.map_err(Into::into)?;
                Ok(response.map(|body| Box::pin(ErasedBody(Box::pin(body))) as AnyBody))
            })
        };
        let handler = StepInfo {
            name: "service".to_owned(),
            doc: "The service that answers what no flow takes.".to_owned(),
            file: String::new(),
            line: 0,
            reads: Vec::new(),
            writes: Vec::new(),
        };
        let flow = FlowInfo {
            name: "fallback".to_owned(),
            method: String::new(),
            pattern: String::new(),
            class: Class::default(),
            slots: Vec::new(),
            steps: vec![handler],
        };
        Self { call: Box::new(call), flow: Arc::new(flow) }
    }

    pub(super) fn call(
        &self,
        request: http::Request<FallbackBody>,
    ) -> BoxFuture<Result<http::Response<AnyBody>, BoxError>> {
        (self.call)(request)
    }
}

/// A body with the types of its data and of its errors erased.
struct ErasedBody<B>(Pin<Box<B>>);

impl<B: Body> Body for ErasedBody<B>
where
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(ready!(self.0.as_mut().poll_frame(cx)).map(|frame| match frame {
            Ok(frame) => Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))),
            Err(error) => Err(error.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
