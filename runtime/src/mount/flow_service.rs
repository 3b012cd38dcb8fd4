//! A flow as a service of another server.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::Extensions;
use http_body::Body;
use tokio::sync::oneshot;
use tower_service::Service as TowerService;
use zerver_engine::{Failure, Params, Request};

use super::mounted_body::MountedBody;
use super::mounted_flows::Host;
use super::mounted_request::MountedRequest;
use crate::http::{Rejection, read_body};
use crate::program::layer_recorder::RecordedByFlow;

/// A flow, or all flows of an app, as a [`tower` service](https://docs.rs/tower-service): see
/// [`MountedFlows`](super::MountedFlows).
///
/// It is always ready, and its error type has no values: a failure is a response with a status, as in a service that
/// listens. Its future may be dropped at any time; the request is then canceled, and recorded as one whose client has left.
#[derive(Clone)]
pub struct FlowService {
    host: Arc<Host>,
    /// Number of the flow, or `None` for all flows.
    flow: Option<u16>,
    peer: PeerOf,
}

/// Returns the address of the client of a request.
type PeerOf = fn(&Extensions) -> Option<SocketAddr>;

impl FlowService {
    pub(super) fn new(host: Arc<Host>, flow: Option<u16>) -> Self {
        Self { host, flow, peer: |_| None }
    }

    /// Sets the function that finds the address of the client in the extensions of a request, where the server leaves it.
    /// Without it, the address is not recorded.
    ///
    /// ```
    /// use std::net::SocketAddr;
    ///
    /// use axum::extract::ConnectInfo;
    /// use zerver::FlowService;
    ///
    /// fn with_peer(service: FlowService) -> FlowService {
    ///     service.peer(|extensions| extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0))
    /// }
    /// ```
    #[must_use]
    pub fn peer(self, peer: fn(&Extensions) -> Option<SocketAddr>) -> Self {
        Self { peer, ..self }
    }
}

impl fmt::Debug for FlowService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowService").field("flow", &self.flow).finish_non_exhaustive()
    }
}

/// Future of a response.
type ResponseFuture = Pin<Box<dyn Future<Output = Result<http::Response<MountedBody>, Infallible>> + Send>>;

impl<B> TowerService<http::Request<B>> for FlowService
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Send,
{
    type Response = http::Response<MountedBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> ResponseFuture {
        let received = Instant::now();
        let Self { host, flow, peer } = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = read(&host, body).await;
            let (respond_to, response) = oneshot::channel();
            let head = Request {
                method: parts.method,
                uri: parts.uri,
                version: parts.version,
                headers: parts.headers,
                body: Bytes::new(),
                received: None,
                params: Params::new(),
                peer: peer(&parts.extensions),
            };
            let request = MountedRequest { head, body, flow, received, sent: Instant::now(), respond_to };
            let response = match host.send(request) {
                true => response.await.ok(),
                false => None,
            };
            Ok(response.map_or_else(stopped, |mut response| {
                response.body_mut().mark_received();
                if host.is_recorded() {
                    // A layer around the router need not record the request again.
                    response.extensions_mut().insert(RecordedByFlow);
                }
                response
            }))
        })
    }
}

/// Reads the body within the limits of the service.
async fn read<B: Body>(host: &Host, body: B) -> Result<Bytes, Rejection> {
    let body = pin!(body);
    let mut reading = pin!(read_body(body, host.limits(), || false));
    // The timers belong to the effect runtime, because the host need not be a program of tokio.
    std::future::poll_fn(|cx| {
        let _context = host.enter();
        reading.as_mut().poll(cx)
    })
    .await
}

/// Response of a service that has stopped.
fn stopped() -> http::Response<MountedBody> {
    let response = Failure::unavailable("service").message("stopped").to_response();
    let (status, headers) = (response.status, response.headers);
    let mut response = http::Response::new(MountedBody::new(response.body, None));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
