//! The way of one request: checked, routed, read, driven, answered.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, StatusCode, Version, header};
use hyper::body::Incoming;
use zerver_engine::{Failure, Params, Request, RequestId, Response};
use zerver_trace::{Event, Outcome, RequestPart, SharedValue};

use super::connection::body_reader;
use super::connection::connection_state::Connection;
use super::connection::message_framing::BodyFraming;
use super::header_scan::{HeaderValues, ScannedHeaders};
use super::local_client::is_local_client;
use super::rejection::Rejection;
use super::response_body::ResponseBody;
use super::router::RouteMatch;
use super::trace_context::TraceContext;
use super::{host_header, metrics_endpoint};
use crate::Limits;
use crate::effects::interpreter::EffectContext;
use crate::execution::active_request::{ActiveRequest, PendingResponse};
use crate::execution::request_ids;
use crate::execution::safe_drop::discard;
use crate::scheduler;
use crate::server::readiness::StartupStage;
use crate::server::service::Service;
use crate::server::worker::Worker;
use crate::time::Stopwatch;

/// A request may have this many headers.
const HEADERS: usize = 100;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request whose head has arrived.
pub(super) struct ReceivedRequest {
    worker: Rc<Worker>,
    in_flight: InFlightGuard,
    active: ActiveRequest,
    body: Incoming,
    is_head: bool,
    is_http2: bool,
}

impl ReceivedRequest {
    pub(super) fn new(worker: &Rc<Worker>, conn: &Rc<Connection>, request: http::Request<Incoming>) -> Self {
        let watch = Stopwatch::since(Instant::now());
        let in_flight = InFlightGuard::begin(conn);
        let (parts, body) = request.into_parts();
        conn.set_body_framing(
            http_body::Body::size_hint(&body).exact().map_or(BodyFraming::Chunked, BodyFraming::Length),
        );
        let (is_head, is_http2) = (parts.method == Method::HEAD, parts.version == Version::HTTP_2);
        let request = Request {
            method: parts.method,
            uri: parts.uri,
            version: parts.version,
            headers: parts.headers,
            body: Bytes::new(),
            params: Params::new(),
            peer: Some(conn.peer),
        };
        let mut active = worker.receive(watch, request);
        active.add_read_delay(head_read_delay(worker, conn, active.base_ns));
        Self { worker: Rc::clone(worker), in_flight, active, body, is_head, is_http2 }
    }
}

/// What kept the worker of a connection from reading a head that it reads now, if that may have been there before.
fn head_read_delay(worker: &Worker, conn: &Connection, now_ns: u64) -> Option<Event<SharedValue>> {
    let service_clock = &worker.worker_context.service_clock;
    match conn.take_opened() {
        Some((accepted, opened)) => {
            worker.first_read_delay(service_clock.since_ns(accepted), service_clock.since_ns(opened), now_ns)
        }
        None => worker.read_delay(
            RequestPart::Head,
            || conn.idle_since().map_or(0, |at| service_clock.since_ns(at)),
            now_ns,
        ),
    }
}

/// Answers one request.
pub(super) async fn answer(arrived: ReceivedRequest) -> Result<http::Response<ResponseBody>, Infallible> {
    let ReceivedRequest { worker, in_flight, active, body, is_head, is_http2 } = arrived;
    let id = active.id;
    let mut active = Some(active);
    // A panic that no step is to blame for, such as the drop of a value, costs its own request and no other.
    let (answer, end) =
        match AssertUnwindSafe(handle(&mut active, &worker, &in_flight.conn, body)).catch_unwind().await {
            Ok(answered) => answered,
            Err(panic) => {
                discard(panic);
                let response = Failure::internal("request").to_response();
                let answer = match active.take() {
                    Some(active) => active.panicked(response),
                    None => PendingResponse { response, delivery: None },
                };
                (answer, Instant::now())
            }
        };
    let conn = in_flight.end(end);
    let close = !is_http2 && (worker.drain.is_draining() || conn.has_unread_body());
    let date = worker.date.at(worker.clock.wall(end).0.unix_ns);
    Ok(OutgoingResponse { answer, id, date, is_head, is_http2, close }.into_http(conn))
}

/// From the head to the answer, and when that was there.
async fn handle(
    slot: &mut Option<ActiveRequest>,
    worker: &Rc<Worker>,
    conn: &Connection,
    body: Incoming,
) -> (PendingResponse, Instant) {
    let service = &*worker.service;
    let Some(active) = slot else { return (missing_response(), Instant::now()) };
    if active.request().is_some_and(|request| is_status_poll(request)) {
        if !http_body::Body::is_end_stream(&body) {
            conn.set_unread();
        }
        let response = match &service.health_path {
            Some(_) => health(worker, true, false),
            None => Failure::not_found("path", STATUS_PATH).to_response(),
        };
        active.forget();
        return (PendingResponse { response, delivery: None }, Instant::now());
    }
    let found = match active.request().map_or(Err(Rejection::PathNotFound), |request| check(request, service))
    {
        Ok(found) => found,
        Err(Rejection::PathNotFound) if let Some(own_endpoint) = own_endpoint(active, service) => {
            if !http_body::Body::is_end_stream(&body) {
                conn.set_unread();
            }
            let response = match own_endpoint {
                OwnEndpoint::Health { is_local, is_liveness } => health(worker, is_local, is_liveness),
                OwnEndpoint::Metrics(headers) => metrics_endpoint::answer(worker, &headers),
            };
            active.forget();
            return (PendingResponse { response, delivery: None }, Instant::now());
        }
        Err(rejection) => {
            if !http_body::Body::is_end_stream(&body) {
                conn.set_unread();
            }
            return reject(active, service, &rejection);
        }
    };
    let TraceContext { traceparent, tracestate } = match found {
        Routed::Flow(flow, context) => {
            active.set_flow(flow);
            context
        }
        Routed::Options(allow) => {
            let mut response = Response::no_content();
            response.headers.insert(header::ALLOW, allow);
            active.watch.tick();
            let end = active.watch.now();
            return (active.answer(response, Outcome::Done).unwrap_or_else(missing_response), end);
        }
    };
    if !service.readiness.is_ready() {
        if !http_body::Body::is_end_stream(&body) {
            conn.set_unread();
        }
        return reject(active, service, &Rejection::NotReady);
    }
    match body_reader::read(body, &service.limits, conn).await {
        Ok(bytes) => {
            if let Some(request) = active.request() {
                request.body = bytes;
            }
        }
        Err(rejection) => {
            conn.set_unread();
            return reject(active, service, &rejection);
        }
    }
    let received_ns = active.base_ns + active.watch.tick();
    active.add_read_delay(worker.read_delay(RequestPart::Body, || active.base_ns, received_ns));
    let context = EffectContext { request_id: Some(active.id), traceparent, tracestate };
    if let Some(handoff) = scheduler::dispatch_request(worker, active, &context).await
        && let Some(active) = slot.take()
    {
        // Boxed: the rare path must not enlarge the future of every request, which is copied to where it is polled.
        *slot = Some(Box::pin(handoff.complete(worker, active, context)).await);
    }
    let Some(active) = slot else { return (missing_response(), Instant::now()) };
    let end = active.watch.now();
    (active.finish().unwrap_or_else(missing_response), end)
}

/// The path at which zerver's own tools poll a service.
const STATUS_PATH: &str = "/.zerver/status";

/// Whether the request is a poll of zerver's own tools on this machine. It is answered before anything else looks at it,
/// and never recorded: neither a flow that takes every path nor the list of hosts makes polls look like traffic.
fn is_status_poll(request: &Request) -> bool {
    request.uri.path() == STATUS_PATH && request.method == Method::GET && is_local_client(request)
}

/// What somebody asks of the service itself.
enum OwnEndpoint {
    Health {
        is_local: bool,
        /// Only whether the service lives is asked, not whether it is ready.
        is_liveness: bool,
    },
    /// With these headers.
    Metrics(http::HeaderMap),
}

fn own_endpoint(active: &mut ActiveRequest, service: &Service) -> Option<OwnEndpoint> {
    let request = active.request().filter(|request| matches!(request.method, Method::GET | Method::HEAD))?;
    let path = Some(request.uri.path());
    if service.health_path.as_deref() == path {
        let is_liveness = request.uri.query() == Some("live");
        return Some(OwnEndpoint::Health { is_local: is_local_client(request), is_liveness });
    }
    let is_metrics =
        service.metrics.path.as_deref() == path && (service.metrics.remote || is_local_client(request));
    is_metrics.then(|| OwnEndpoint::Metrics(std::mem::take(&mut request.headers)))
}

fn health(worker: &Worker, is_local: bool, is_liveness: bool) -> Response {
    let (mut is_well, mut told) = scheduler::health(
        &worker.worker_context.registry,
        &worker.service.scheduler,
        &worker.worker_context.service_clock,
        is_local,
    );
    let (status, why) = match worker.service.readiness.stage() {
        StartupStage::Ready => (None, None),
        StartupStage::Starting => (Some("starting"), None),
        StartupStage::Failed(why) => (Some("failed"), Some(why)),
    };
    if let Some(status) = status.filter(|_| is_well) {
        (is_well, told["status"]) = (is_liveness, status.into());
    }
    if let Some(why) = why.filter(|_| is_local) {
        told["reason"] = (*why).into();
    }
    let status = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Response::json(&told).status(status)
}

/// Who takes a request.
enum Routed {
    /// This flow; with the trace context of the request.
    Flow(Arc<zerver_engine::Flow>, TraceContext),
    /// The shell itself: `OPTIONS` with the methods there are.
    Options(HeaderValue),
}

fn check(request: &mut Request, service: &Service) -> Result<Routed, Rejection> {
    let headers = ScannedHeaders::of(&request.headers);
    check_sizes(request, headers.bytes, &service.limits)?;
    host_header::check(request, &headers.host, &service.allowed_hosts).map_err(Rejection::Host)?;
    if let HeaderValues { first: Some(encoding), is_doubled } = headers.transfer_encoding
        && (is_doubled || !encoding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(Rejection::TransferEncoding);
    }
    let context = TraceContext::with(&headers.traceparent, &request.headers);
    if !request.uri.path().starts_with('/')
        && (request.method != Method::OPTIONS || request.uri.path() != "*")
    {
        return Err(Rejection::Target);
    }
    match service.router.find(&request.method, request.uri.path()) {
        RouteMatch::Flow(flow, params) => {
            request.params = params;
            Ok(Routed::Flow(Arc::clone(flow), context))
        }
        RouteMatch::Options(allow) => Ok(Routed::Options(allow.clone())),
        RouteMatch::MethodNotAllowed(allow) => Err(Rejection::MethodNotAllowed(allow.clone())),
        RouteMatch::NotFound => Err(Rejection::PathNotFound),
        RouteMatch::InvalidParam => Err(Rejection::InvalidParam),
    }
}

fn check_sizes(request: &Request, header_bytes: usize, limits: &Limits) -> Result<(), Rejection> {
    let target = request.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.target_bytes {
        return Err(Rejection::TargetTooLong(limits.target_bytes));
    }
    if header_bytes > limits.header_bytes {
        return Err(Rejection::HeadersTooLarge(limits.header_bytes));
    }
    // hyper counts those of HTTP/1. A cookie may come in pieces in HTTP/2, and is one header (RFC 9113, section 8.2.3).
    if request.headers.len() > HEADERS {
        let pieces = request.headers.get_all(header::COOKIE).iter().count();
        if request.headers.len() - pieces.saturating_sub(1) > HEADERS {
            return Err(Rejection::TooManyHeaders(limits.header_bytes));
        }
    }
    Ok(())
}

pub(super) fn reject(
    active: &mut ActiveRequest,
    service: &Service,
    rejection: &Rejection,
) -> (PendingResponse, Instant) {
    let flow = active.flow().cloned();
    let (response, outcome) = match active.request() {
        Some(request) => rejection.response(request, flow.as_deref(), service),
        None => return (missing_response(), active.watch.now()),
    };
    active.watch.tick();
    let end = active.watch.now();
    (active.answer(response, outcome).unwrap_or_else(missing_response), end)
}

/// What goes out where there should be an answer and is none.
fn missing_response() -> PendingResponse {
    PendingResponse { response: Failure::internal("request").to_response(), delivery: None }
}

/// Counts a request on its connection, also if it is dropped.
pub(super) struct InFlightGuard {
    conn: Rc<Connection>,
    ended: Option<Instant>,
}

impl InFlightGuard {
    pub(super) fn begin(conn: &Rc<Connection>) -> Self {
        conn.begin_request();
        Self { conn: Rc::clone(conn), ended: None }
    }

    pub(super) fn end(mut self, at: Instant) -> Rc<Connection> {
        self.ended = Some(at);
        Rc::clone(&self.conn)
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.conn.end_request(self.ended.unwrap_or_else(Instant::now));
    }
}

/// A response on its way out.
pub(super) struct OutgoingResponse {
    pub(super) answer: PendingResponse,
    pub(super) id: RequestId,
    pub(super) date: HeaderValue,
    pub(super) is_head: bool,
    pub(super) is_http2: bool,
    pub(super) close: bool,
}

impl OutgoingResponse {
    /// The response as hyper wants it, on this connection.
    pub(super) fn into_http(self, conn: Rc<Connection>) -> http::Response<ResponseBody> {
        let Self { answer: PendingResponse { response, delivery }, id, date, is_head, is_http2, close } =
            self;
        let Response { mut status, mut headers, mut body } = response;
        // An informational status is none to end with.
        if status.is_informational() {
            status = StatusCode::INTERNAL_SERVER_ERROR;
        }
        // To look is cheaper than to take away what is hardly ever there.
        let is_framing =
            |name: &HeaderName| [header::TRANSFER_ENCODING, header::CONTENT_LENGTH].contains(name);
        if headers.keys().any(is_framing) {
            headers.remove(header::TRANSFER_ENCODING);
            headers.remove(header::CONTENT_LENGTH);
        }
        headers.insert(REQUEST_ID, request_ids::header_value(id));
        headers.entry(header::DATE).or_insert(date);
        if close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if is_head {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            body = Bytes::new();
        } else if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            body = Bytes::new();
        }
        let payload = match is_http2 && !body.is_empty() {
            true => ResponseBody::framed(body, conn, delivery),
            false => ResponseBody::whole(body, conn, delivery),
        };
        let mut response = http::Response::new(payload);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}
