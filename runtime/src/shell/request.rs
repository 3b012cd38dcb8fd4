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
use zerver_engine::{Failure, Request, RequestId, Response};
use zerver_trace::Outcome;

use super::conn::Conn;
use super::here::is_from_here;
use super::payload::Payload;
use super::reject::Reject;
use super::router::Found;
use super::{body, host, metrics, traceparent};
use crate::interpreter::Context;
use crate::live::Live;
use crate::schedule;
use crate::service::Service;
use crate::time::Stopwatch;
use crate::worker::Worker;
use crate::{Limits, ids};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers one request.
pub(super) async fn answer(
    worker: Rc<Worker>,
    conn: Rc<Conn>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Payload>, Infallible> {
    let began = Instant::now();
    let in_flight = InFlight::begin(&conn);
    let (parts, body) = request.into_parts();
    let is_head = parts.method == Method::HEAD;
    let http2 = parts.version == Version::HTTP_2;
    let request = Request {
        method: parts.method,
        uri: parts.uri,
        version: parts.version,
        headers: parts.headers,
        peer: Some(conn.peer),
        ..Request::default()
    };
    let live = Live::new(&worker, Stopwatch::since(began), request);
    let id = live.id;
    // It is large, and stays where it is.
    let mut live = Some(live);
    // A panic that no step is to blame for, such as the drop of a value, costs its own request and no other.
    let (response, end) = match AssertUnwindSafe(go(&mut live, &worker, &conn, body)).catch_unwind().await {
        Ok(answered) => answered,
        Err(panic) => {
            crate::flight::discard(panic);
            if let Some(live) = live.take() {
                live.panicked();
            }
            (Failure::internal("request").to_response(), Instant::now())
        }
    };
    in_flight.end(end);
    let close = !http2 && (worker.drain.is_draining() || conn.is_unread());
    let response = Outgoing { response, id, is_head, close };
    Ok(response.into_http(http2.then_some(conn)))
}

/// From the head to the answer, and when that was there.
async fn go(
    slot: &mut Option<Live>,
    worker: &Rc<Worker>,
    conn: &Conn,
    body: Incoming,
) -> (Response, Instant) {
    let service = &*worker.service;
    let Some(live) = slot else { return (nobody(), Instant::now()) };
    let found = match live.request().map_or(Err(Reject::NoSuchPath), |request| check(request, service)) {
        Ok(found) => found,
        Err(Reject::NoSuchPath) if let Some(asked) = asked(live, service) => {
            if !http_body::Body::is_end_stream(&body) {
                conn.leave_unread();
            }
            let response = match asked {
                Asked::Health { is_local } => health(worker, is_local),
                Asked::Metrics(headers) => metrics::answer(worker, &headers),
            };
            live.forget();
            return (response, Instant::now());
        }
        Err(reject) => {
            if !http_body::Body::is_end_stream(&body) {
                conn.leave_unread();
            }
            return refuse(live, service, &reject);
        }
    };
    match found {
        Taken::By(flow) => live.found(flow),
        Taken::Options(allow) => {
            let mut response = Response::no_content();
            response.headers.insert(header::ALLOW, allow);
            live.watch.tick();
            let end = live.watch.now();
            return (live.answer(response, Outcome::Done).unwrap_or_else(nobody), end);
        }
    }
    match body::read(body, &service.limits).await {
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
    live.watch.tick();
    let mut context = Context { request_id: Some(live.id), traceparent: None };
    if let Some(request) = live.request() {
        context.traceparent = traceparent::parse(&request.headers).map(Arc::from);
    }
    if let Some(elsewhere) = schedule::carry(worker, live, &context).await
        && let Some(live) = slot.take()
    {
        *slot = Some(elsewhere.carry(worker, live, context).await);
    }
    let Some(live) = slot else { return (nobody(), Instant::now()) };
    let end = live.watch.now();
    (live.finish().unwrap_or_else(nobody), end)
}

/// What somebody asks of the service itself.
enum Asked {
    Health {
        is_local: bool,
    },
    /// With these headers.
    Metrics(http::HeaderMap),
}

fn asked(live: &mut Live, service: &Service) -> Option<Asked> {
    let request = live.request().filter(|request| matches!(request.method, Method::GET | Method::HEAD))?;
    let path = Some(request.uri.path());
    if service.health.as_deref() == path {
        return Some(Asked::Health { is_local: is_from_here(request) });
    }
    let is_metrics =
        service.metrics.path.as_deref() == path && (service.metrics.remote || is_from_here(request));
    is_metrics.then(|| Asked::Metrics(std::mem::take(&mut request.headers)))
}

fn health(worker: &Worker, is_local: bool) -> Response {
    let (is_well, told) =
        schedule::health(&worker.crew.watched, &worker.service.schedule, &worker.crew.zero, is_local);
    let status = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Response::json(&told).status(status)
}

/// Who takes a request.
enum Taken {
    By(Arc<zerver_engine::Flow>),
    /// The shell itself: `OPTIONS` with the methods there are.
    Options(HeaderValue),
}

fn check(request: &mut Request, service: &Service) -> Result<Taken, Reject> {
    check_sizes(request, &service.limits)?;
    host::check(request, &service.hosts).map_err(Reject::Host)?;
    if let Some(encoding) = request.headers.get(header::TRANSFER_ENCODING) {
        let encodings = request.headers.get_all(header::TRANSFER_ENCODING).iter().count();
        if encodings > 1 || !encoding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(Reject::TransferEncoding);
        }
    }
    if !request.uri.path().starts_with('/')
        && (request.method != Method::OPTIONS || request.uri.path() != "*")
    {
        return Err(Reject::Target);
    }
    match service.router.find(&request.method, request.uri.path()) {
        Found::Flow(flow, params) => {
            request.params = params;
            Ok(Taken::By(Arc::clone(flow)))
        }
        Found::Options(allow) => Ok(Taken::Options(allow.clone())),
        Found::OtherMethods(allow) => Err(Reject::Method(allow.clone())),
        Found::Nothing => Err(Reject::NoSuchPath),
        Found::NoText => Err(Reject::ParamIsNoText),
    }
}

fn check_sizes(request: &Request, limits: &Limits) -> Result<(), Reject> {
    let target = request.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.target_bytes {
        return Err(Reject::TargetTooLong(limits.target_bytes));
    }
    let headers: usize =
        request.headers.iter().map(|(name, value)| name.as_str().len() + value.as_bytes().len()).sum();
    if headers > limits.header_bytes {
        return Err(Reject::HeadersTooLarge(limits.header_bytes));
    }
    Ok(())
}

pub(super) fn refuse(live: &mut Live, service: &Service, reject: &Reject) -> (Response, Instant) {
    let (response, outcome) = match live.request() {
        Some(request) => reject.response(request, service),
        None => return (nobody(), live.watch.now()),
    };
    live.watch.tick();
    let end = live.watch.now();
    (live.answer(response, outcome).unwrap_or_else(nobody), end)
}

/// What goes out where there should be an answer and is none.
fn nobody() -> Response {
    Failure::internal("request").to_response()
}

/// Counts a request on its connection, also if it is dropped.
pub(super) struct InFlight<'c>(&'c Conn, Option<Instant>);

impl<'c> InFlight<'c> {
    pub(super) fn begin(conn: &'c Conn) -> Self {
        conn.begin();
        Self(conn, None)
    }

    pub(super) fn end(mut self, at: Instant) {
        self.1 = Some(at);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.end(self.1.unwrap_or_else(Instant::now));
    }
}

/// A response on its way out.
pub(super) struct Outgoing {
    pub(super) response: Response,
    pub(super) id: RequestId,
    pub(super) is_head: bool,
    pub(super) close: bool,
}

impl Outgoing {
    /// The response as hyper wants it; `http2` is the connection if it speaks that.
    pub(super) fn into_http(self, http2: Option<Rc<Conn>>) -> http::Response<Payload> {
        let Self { response: Response { mut status, mut headers, mut body }, id, is_head, close } = self;
        // An informational status is none to end with.
        if status.is_informational() {
            status = StatusCode::INTERNAL_SERVER_ERROR;
        }
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(REQUEST_ID, ids::header(id));
        if close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if is_head {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            body = Bytes::new();
        } else if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            body = Bytes::new();
        }
        let payload = match http2 {
            Some(conn) if !body.is_empty() => Payload::framed(body, conn),
            _ => Payload::whole(body),
        };
        let mut response = http::Response::new(payload);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}
