//! The service around another one: it starts an exchange for each request.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Extensions, Request, Response};
use http_body::Body;
use tower_service::Service;
use zerver::layer::next_request_id;
use zerver_trace::RequestId;

use crate::exchange::{Exchange, unix_now_ns};
use crate::messages::{RECORD_TOKEN, RequestHead, header_list};
use crate::open_store::OpenStore;
use crate::request_body::RequestBody;
use crate::response_body::ResponseBody;
use crate::response_future::ResponseFuture;
use crate::route::Route;
use crate::tracked::Tracked;

/// A service whose requests are recorded.
#[derive(Clone)]
pub struct RecordService<S> {
    inner: S,
    store: Option<Arc<OpenStore>>,
}

/// An extension of requests that are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedRequest {
    id: RequestId,
}

impl RecordedRequest {
    /// Returns the id of the request, under which `zerver trace` shows it.
    pub const fn id(self) -> RequestId {
        self.id
    }
}

impl<S> RecordService<S> {
    pub(crate) const fn new(inner: S, store: Option<Arc<OpenStore>>) -> Self {
        Self { inner, store }
    }

    /// Starts to record a request. Returns `None` if it is not recorded, or if a layer outside of this one records it.
    fn track<B: Body<Data = Bytes>>(&self, request: &mut Request<B>) -> Option<Tracked> {
        let store = self.store.as_ref()?;
        if request.extensions().get::<RecordedRequest>().is_some() {
            return None;
        }
        let unix_ns = unix_now_ns();
        let id = next_request_id(unix_ns)?;
        // Looking for a header by its text takes time.
        let token = store.has_token().then(|| request.headers().get(RECORD_TOKEN)).flatten();
        let is_recording_requested = token.is_some_and(|token| store.is_token(token.as_bytes()));
        let head = RequestHead {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            peer: peer(request.extensions()),
            headers: header_list(request.headers()),
        };
        let route = Route::of(request.extensions());
        let announced = request.body().size_hint().exact();
        request.extensions_mut().insert(RecordedRequest { id });
        let exchange =
            Exchange::new(id, unix_ns, head, route, is_recording_requested, announced, store.body_bytes());
        Some(Tracked::new(Arc::clone(store), exchange))
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RecordService<S>
where
    S: Service<Request<RequestBody<ReqBody>>, Response = Response<ResBody>>,
    S::Error: fmt::Display,
    ReqBody: Body<Data = Bytes>,
    ResBody: Body<Data = Bytes>,
    ResBody::Error: fmt::Display,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let mut tracked = self.track(&mut request);
        let exchange = tracked.as_ref().map(|tracked| Arc::clone(&tracked.exchange));
        let request = request.map(|body| RequestBody::new(body, exchange));
        let inner = match &mut tracked {
            Some(tracked) => tracked.observe(|| self.inner.call(request)),
            None => self.inner.call(request),
        };
        ResponseFuture::new(inner, tracked)
    }
}

impl<S: fmt::Debug> fmt::Debug for RecordService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Returns the address of the client, if the service was made with `into_make_service_with_connect_info`.
fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    #[cfg(feature = "axum")]
    if let Some(axum::extract::ConnectInfo(peer)) = extensions.get() {
        return Some(*peer);
    }
    extensions.get().copied()
}
