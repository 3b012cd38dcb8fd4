//! Handles one request: checks it, routes it, reads its body, dispatches it to the scheduler and builds the response.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Version, header};
use hyper::body::Incoming;
use zerver_engine::{Failure, Params, Request, Response};
use zerver_trace::{Event, Outcome, RequestPart, SharedValue};

use super::body_reader;
use super::connection::connection_state::Connection;
use super::connection::in_flight_guard::InFlightGuard;
use super::connection::message_framing::BodyFraming;
#[cfg(feature = "metrics")]
use super::endpoints::metrics_endpoint;
use super::endpoints::service_endpoints::{OwnEndpoint, STATUS_PATH, health, is_status_poll, own_endpoint};
use super::headers::trace_context::{self, TraceContext};
use super::outgoing_response::OutgoingResponse;
use super::rejection::Rejection;
use super::request_check::{Routed, check};
use super::response_body::ResponseBody;
use crate::effects::interpreter::EffectContext;
use crate::execution::active_request::{ActiveRequest, PendingResponse};
use crate::execution::safe_drop::discard;
use crate::execution::undo_task;
use crate::scheduler;
use crate::server::service::Service;
use crate::server::workers::worker::Worker;
use crate::time::Stopwatch;

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
        let mut active = receive(worker, watch, request);
        active.add_read_delay(head_read_delay(worker, conn, active.base_ns));
        Self { worker: Rc::clone(worker), in_flight, active, body, is_head, is_http2 }
    }
}

/// Starts a request whose head has arrived on a connection of this worker.
pub(super) fn receive(worker: &Worker, watch: Stopwatch, request: Request) -> ActiveRequest {
    let Worker { worker_service, clock, ids, thread_status, .. } = worker;
    ActiveRequest::new(worker_service, clock, ids, thread_status.worker(), watch, request)
}

/// Event that explains why the worker read this head late. `None` if the head cannot have arrived before the worker was
/// free to read it.
fn head_read_delay(worker: &Worker, conn: &Connection, now_ns: u64) -> Option<Event<SharedValue>> {
    let service_clock = &worker.worker_context.service_clock;
    match conn.take_open_times() {
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
pub(super) async fn answer(received: ReceivedRequest) -> Result<http::Response<ResponseBody>, Infallible> {
    let ReceivedRequest { worker, in_flight, active, body, is_head, is_http2 } = received;
    let (id, watch, mut flow) = (active.id, active.watch.clone(), None);
    let mut active = Some(active);
    // A panic outside of a step, for example when a value is dropped, fails only this request.
    let (pending, end) =
        match AssertUnwindSafe(handle(&mut active, &mut flow, &worker, &in_flight.conn, body))
            .catch_unwind()
            .await
        {
            Ok(handled) => handled,
            Err(panic) => {
                discard(panic);
                let response = Failure::internal("request").to_response();
                let pending = match active.take() {
                    Some(active) => active.panicked(response),
                    None => PendingResponse { response, delivery: None },
                };
                (pending, Instant::now())
            }
        };
    let unix_ns = worker.clock.wall(end).0.unix_ns;
    if let Some(latencies) = flow.and_then(|flow| worker.thread_status.counters.latencies(flow)) {
        let kept = pending.delivery.is_some().then_some((id, unix_ns));
        latencies.observe(watch.since_start_ns(end), kept);
    }
    let conn = in_flight.end(end);
    let close = !is_http2 && (worker.drain.is_draining() || conn.has_unread_body());
    let date = worker.date.at(unix_ns);
    Ok(OutgoingResponse { pending, id, date, is_head, is_http2, close }.into_http(conn))
}

/// Handles a request whose head has arrived, and sets the number of the flow that takes it. Returns the response and the time
/// at which it was ready.
async fn handle(
    slot: &mut Option<ActiveRequest>,
    flow_number: &mut Option<u16>,
    worker: &Rc<Worker>,
    conn: &Connection,
    body: Incoming,
) -> (PendingResponse, Instant) {
    let service = &*worker.service;
    let Some(active) = slot else { return (missing_response(), Instant::now()) };
    if active.request().is_some_and(|request| is_status_poll(request)) {
        if !http_body::Body::is_end_stream(&body) {
            conn.set_unread_body();
        }
        let response = match &service.health_path {
            Some(_) => health(worker, true, false),
            None => Failure::not_found("path", STATUS_PATH).to_response(),
        };
        active.skip_recording();
        return (PendingResponse { response, delivery: None }, Instant::now());
    }
    let checked = active.request().map_or(Err(Rejection::PathNotFound), |request| check(request, service));
    let routed = match checked {
        Ok(routed) => routed,
        Err(Rejection::PathNotFound) if let Some(own_endpoint) = own_endpoint(active, service) => {
            if !http_body::Body::is_end_stream(&body) {
                conn.set_unread_body();
            }
            let response = match own_endpoint {
                OwnEndpoint::Health { is_local, is_liveness } => health(worker, is_local, is_liveness),
                #[cfg(feature = "metrics")]
                OwnEndpoint::Metrics(headers) => metrics_endpoint::answer(worker, &headers),
            };
            active.skip_recording();
            return (PendingResponse { response, delivery: None }, Instant::now());
        }
        Err(rejection) => {
            if !http_body::Body::is_end_stream(&body) {
                conn.set_unread_body();
            }
            return reject(active, service, &rejection);
        }
    };
    let TraceContext { traceparent, tracestate } = match routed {
        Routed::Flow(flow, context) => {
            *flow_number = Some(flow.number());
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
            conn.set_unread_body();
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
            conn.set_unread_body();
            return reject(active, service, &rejection);
        }
    }
    let received_ns = active.base_ns + active.watch.tick();
    active.add_read_delay(worker.read_delay(RequestPart::Body, || active.base_ns, received_ns));
    let baggage = match active.request() {
        Some(request) if service.passes_baggage => trace_context::baggage(&request.headers),
        _ => None,
    };
    let context = EffectContext { request_id: Some(active.id), traceparent, tracestate, baggage };
    // Rare paths are boxed: they must not enlarge the future of every request, which is copied into the pool.
    let handoff = scheduler::dispatch_request(worker, active, &context).await;
    let must_undo = handoff.is_none() && active.must_undo();
    if must_undo && let Some(active) = slot.take() {
        return Box::pin(undo(active, context)).await;
    }
    if let Some(handoff) = handoff
        && let Some(active) = slot.take()
    {
        let active = Box::pin(handoff.complete(worker, active, context.clone())).await;
        if active.must_undo() {
            return Box::pin(undo(active, context)).await;
        }
        *slot = Some(active);
    }
    let Some(active) = slot else { return (missing_response(), Instant::now()) };
    let end = active.watch.now();
    (active.finish().unwrap_or_else(missing_response), end)
}

/// Undoes what a failed request has done, and returns its response.
async fn undo(active: ActiveRequest, context: EffectContext) -> (PendingResponse, Instant) {
    let pending = undo_task::start(active, context).await.ok().flatten();
    (pending.unwrap_or_else(missing_response), Instant::now())
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

/// Response to a request that should have one but does not.
fn missing_response() -> PendingResponse {
    PendingResponse { response: Failure::internal("request").to_response(), delivery: None }
}
