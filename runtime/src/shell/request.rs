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

use super::conn::Conn;
use super::framing::Framed;
use super::headers::{Headers, Values};
use super::here::is_from_here;
use super::payload::Payload;
use super::reject::Reject;
use super::router::Found;
use super::traceparent::TraceContext;
use super::{body, host, metrics};
use crate::interpreter::Context;
use crate::live::{Answer, Live};
use crate::readiness::Stage;
use crate::schedule;
use crate::service::Service;
use crate::time::Stopwatch;
use crate::worker::Worker;
use crate::{Limits, ids};

/// A request may have this many headers.
const HEADERS: usize = 100;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request whose head has arrived.
pub(super) struct Arrived {
    worker: Rc<Worker>,
    in_flight: InFlight,
    live: Live,
    body: Incoming,
    is_head: bool,
    is_http2: bool,
}

impl Arrived {
    pub(super) fn new(worker: &Rc<Worker>, conn: &Rc<Conn>, request: http::Request<Incoming>) -> Self {
        let watch = Stopwatch::since(Instant::now());
        let in_flight = InFlight::begin(conn);
        let (parts, body) = request.into_parts();
        conn.frames(http_body::Body::size_hint(&body).exact().map_or(Framed::Chunked, Framed::Length));
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
        let mut live = Live::new(worker, watch, request);
        live.was_read_late(head_read_late(worker, conn, live.base_ns));
        Self { worker: Rc::clone(worker), in_flight, live, body, is_head, is_http2 }
    }
}

/// What kept the worker of a connection from reading a head that it reads now, if that may have been there before.
fn head_read_late(worker: &Worker, conn: &Conn, now_ns: u64) -> Option<Event<SharedValue>> {
    let zero = &worker.crew.zero;
    match conn.take_opened() {
        Some((accepted, opened)) => {
            worker.opened_late(zero.since_ns(accepted), zero.since_ns(opened), now_ns)
        }
        None => worker.read_late(
            RequestPart::Head,
            || conn.idle_since().map_or(0, |at| zero.since_ns(at)),
            now_ns,
        ),
    }
}

/// Answers one request.
pub(super) async fn answer(arrived: Arrived) -> Result<http::Response<Payload>, Infallible> {
    let Arrived { worker, in_flight, live, body, is_head, is_http2 } = arrived;
    let id = live.id;
    let mut live = Some(live);
    // A panic that no step is to blame for, such as the drop of a value, costs its own request and no other.
    let (answer, end) =
        match AssertUnwindSafe(go(&mut live, &worker, &in_flight.conn, body)).catch_unwind().await {
            Ok(answered) => answered,
            Err(panic) => {
                crate::flight::discard(panic);
                let response = Failure::internal("request").to_response();
                let answer = match live.take() {
                    Some(live) => live.panicked(response),
                    None => Answer { response, delivery: None },
                };
                (answer, Instant::now())
            }
        };
    let conn = in_flight.end(end);
    let close = !is_http2 && (worker.drain.is_draining() || conn.is_unread());
    let date = worker.date.at(worker.clock.wall(end).0.unix_ns);
    Ok(Outgoing { answer, id, date, is_head, is_http2, close }.into_http(conn))
}

/// From the head to the answer, and when that was there.
async fn go(slot: &mut Option<Live>, worker: &Rc<Worker>, conn: &Conn, body: Incoming) -> (Answer, Instant) {
    let service = &*worker.service;
    let Some(live) = slot else { return (nobody(), Instant::now()) };
    if live.request().is_some_and(|request| is_status_poll(request)) {
        if !http_body::Body::is_end_stream(&body) {
            conn.leave_unread();
        }
        let response = match &service.health {
            Some(_) => health(worker, true, false),
            None => Failure::not_found("path", STATUS_PATH).to_response(),
        };
        live.forget();
        return (Answer { response, delivery: None }, Instant::now());
    }
    let found = match live.request().map_or(Err(Reject::NoSuchPath), |request| check(request, service)) {
        Ok(found) => found,
        Err(Reject::NoSuchPath) if let Some(asked) = asked(live, service) => {
            if !http_body::Body::is_end_stream(&body) {
                conn.leave_unread();
            }
            let response = match asked {
                Asked::Health { is_local, is_liveness } => health(worker, is_local, is_liveness),
                Asked::Metrics(headers) => metrics::answer(worker, &headers),
            };
            live.forget();
            return (Answer { response, delivery: None }, Instant::now());
        }
        Err(reject) => {
            if !http_body::Body::is_end_stream(&body) {
                conn.leave_unread();
            }
            return refuse(live, service, &reject);
        }
    };
    let TraceContext { traceparent, tracestate } = match found {
        Taken::By(flow, context) => {
            live.found(flow);
            context
        }
        Taken::Options(allow) => {
            let mut response = Response::no_content();
            response.headers.insert(header::ALLOW, allow);
            live.watch.tick();
            let end = live.watch.now();
            return (live.answer(response, Outcome::Done).unwrap_or_else(nobody), end);
        }
    };
    if !service.readiness.is_ready() {
        if !http_body::Body::is_end_stream(&body) {
            conn.leave_unread();
        }
        return refuse(live, service, &Reject::NotReady);
    }
    match body::read(body, &service.limits, conn).await {
        Ok(bytes) => {
            if let Some(request) = live.request() {
                request.body = bytes;
            }
        }
        Err(reject) => {
            conn.leave_unread();
            return refuse(live, service, &reject);
        }
    }
    let received_ns = live.base_ns + live.watch.tick();
    live.was_read_late(worker.read_late(RequestPart::Body, || live.base_ns, received_ns));
    let context = Context { request_id: Some(live.id), traceparent, tracestate };
    if let Some(elsewhere) = schedule::carry(worker, live, &context).await
        && let Some(live) = slot.take()
    {
        // Boxed: the rare way must not make every request's future larger, which is copied to where it is polled.
        *slot = Some(Box::pin(elsewhere.carry(worker, live, context)).await);
    }
    let Some(live) = slot else { return (nobody(), Instant::now()) };
    let end = live.watch.now();
    (live.finish().unwrap_or_else(nobody), end)
}

/// The path at which zerver's own tools poll a service.
const STATUS_PATH: &str = "/.zerver/status";

/// Whether the request is a poll of zerver's own tools on this machine. It is answered before anything else looks at it,
/// and never recorded: neither a flow that takes every path nor the list of hosts makes polls look like traffic.
fn is_status_poll(request: &Request) -> bool {
    request.uri.path() == STATUS_PATH && request.method == Method::GET && is_from_here(request)
}

/// What somebody asks of the service itself.
enum Asked {
    Health {
        is_local: bool,
        /// Only whether the service lives is asked, not whether it is ready.
        is_liveness: bool,
    },
    /// With these headers.
    Metrics(http::HeaderMap),
}

fn asked(live: &mut Live, service: &Service) -> Option<Asked> {
    let request = live.request().filter(|request| matches!(request.method, Method::GET | Method::HEAD))?;
    let path = Some(request.uri.path());
    if service.health.as_deref() == path {
        let is_liveness = request.uri.query() == Some("live");
        return Some(Asked::Health { is_local: is_from_here(request), is_liveness });
    }
    let is_metrics =
        service.metrics.path.as_deref() == path && (service.metrics.remote || is_from_here(request));
    is_metrics.then(|| Asked::Metrics(std::mem::take(&mut request.headers)))
}

fn health(worker: &Worker, is_local: bool, is_liveness: bool) -> Response {
    let (mut is_well, mut told) =
        schedule::health(&worker.crew.watched, &worker.service.schedule, &worker.crew.zero, is_local);
    let (status, why) = match worker.service.readiness.stage() {
        Stage::Ready => (None, None),
        Stage::Starting => (Some("starting"), None),
        Stage::Failed(why) => (Some("failed"), Some(why)),
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
enum Taken {
    /// This flow; with the trace context of the request.
    By(Arc<zerver_engine::Flow>, TraceContext),
    /// The shell itself: `OPTIONS` with the methods there are.
    Options(HeaderValue),
}

fn check(request: &mut Request, service: &Service) -> Result<Taken, Reject> {
    let headers = Headers::of(&request.headers);
    check_sizes(request, headers.bytes, &service.limits)?;
    host::check(request, &headers.host, &service.hosts).map_err(Reject::Host)?;
    if let Values { first: Some(encoding), is_doubled } = headers.transfer_encoding
        && (is_doubled || !encoding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(Reject::TransferEncoding);
    }
    let context = TraceContext::with(&headers.traceparent, &request.headers);
    if !request.uri.path().starts_with('/')
        && (request.method != Method::OPTIONS || request.uri.path() != "*")
    {
        return Err(Reject::Target);
    }
    match service.router.find(&request.method, request.uri.path()) {
        Found::Flow(flow, params) => {
            request.params = params;
            Ok(Taken::By(Arc::clone(flow), context))
        }
        Found::Options(allow) => Ok(Taken::Options(allow.clone())),
        Found::OtherMethods(allow) => Err(Reject::Method(allow.clone())),
        Found::Nothing => Err(Reject::NoSuchPath),
        Found::NoText => Err(Reject::ParamIsNoText),
    }
}

fn check_sizes(request: &Request, header_bytes: usize, limits: &Limits) -> Result<(), Reject> {
    let target = request.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.target_bytes {
        return Err(Reject::TargetTooLong(limits.target_bytes));
    }
    if header_bytes > limits.header_bytes {
        return Err(Reject::HeadersTooLarge(limits.header_bytes));
    }
    // hyper counts those of HTTP/1. A cookie may come in pieces in HTTP/2, and is one header (RFC 9113, section 8.2.3).
    if request.headers.len() > HEADERS {
        let pieces = request.headers.get_all(header::COOKIE).iter().count();
        if request.headers.len() - pieces.saturating_sub(1) > HEADERS {
            return Err(Reject::TooManyHeaders(limits.header_bytes));
        }
    }
    Ok(())
}

pub(super) fn refuse(live: &mut Live, service: &Service, reject: &Reject) -> (Answer, Instant) {
    let flow = live.flow().cloned();
    let (response, outcome) = match live.request() {
        Some(request) => reject.response(request, flow.as_deref(), service),
        None => return (nobody(), live.watch.now()),
    };
    live.watch.tick();
    let end = live.watch.now();
    (live.answer(response, outcome).unwrap_or_else(nobody), end)
}

/// What goes out where there should be an answer and is none.
fn nobody() -> Answer {
    Answer { response: Failure::internal("request").to_response(), delivery: None }
}

/// Counts a request on its connection, also if it is dropped.
pub(super) struct InFlight {
    conn: Rc<Conn>,
    ended: Option<Instant>,
}

impl InFlight {
    pub(super) fn begin(conn: &Rc<Conn>) -> Self {
        conn.begin();
        Self { conn: Rc::clone(conn), ended: None }
    }

    pub(super) fn end(mut self, at: Instant) -> Rc<Conn> {
        self.ended = Some(at);
        Rc::clone(&self.conn)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.conn.end(self.ended.unwrap_or_else(Instant::now));
    }
}

/// A response on its way out.
pub(super) struct Outgoing {
    pub(super) answer: Answer,
    pub(super) id: RequestId,
    pub(super) date: HeaderValue,
    pub(super) is_head: bool,
    pub(super) is_http2: bool,
    pub(super) close: bool,
}

impl Outgoing {
    /// The response as hyper wants it, on this connection.
    pub(super) fn into_http(self, conn: Rc<Conn>) -> http::Response<Payload> {
        let Self { answer: Answer { response, delivery }, id, date, is_head, is_http2, close } = self;
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
        headers.insert(REQUEST_ID, ids::header(id));
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
            true => Payload::framed(body, conn, delivery),
            false => Payload::whole(body, conn, delivery),
        };
        let mut response = http::Response::new(payload);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}
