//! Handles one request: checks it, routes it, reads its body, dispatches it to the scheduler and builds the response.

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Version, header};
use hyper::body::Incoming;
use zerver_engine::{Failure, Params, Request, RequestId, Response};
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
use super::request_check::{HeadRules, Routed, check};
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
pub(crate) fn receive(worker: &Worker, watch: Stopwatch, request: Request) -> ActiveRequest {
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
    let origin = match (&worker.service.browser, &mut active) {
        (Some(browser), Some(active)) => active.request().and_then(|request| browser.allowed_origin(request)),
        _ => None,
    };
    let source = RequestSource::Connection(&in_flight.conn, body);
    let handled = AssertUnwindSafe(handle(&mut active, &mut flow, &worker, source))
        .catch_unwind()
        .await
        .map_err(|panic| panicked(active.take(), panic));
    let (mut pending, end) = handled.unwrap_or_else(|response| (response, Instant::now()));
    if let Some(browser) = &worker.service.browser {
        browser.finish(&mut pending.response.headers, origin.as_deref());
    }
    let unix_ns = observe(&worker, id, flow, &watch, &pending, end);
    let conn = in_flight.end(end);
    let close = !is_http2 && (worker.drain.is_draining() || conn.has_unread_body());
    let date = worker.date.at(unix_ns);
    Ok(OutgoingResponse { pending, id, date, is_head, is_http2, close }.into_http(conn))
}

/// Ends a request after a panic outside of a step, for example when a value was dropped. Only this request fails.
pub(crate) fn panicked(active: Option<ActiveRequest>, panic: Box<dyn Any + Send>) -> PendingResponse {
    discard(panic);
    let response = Failure::internal("request").to_response();
    match active {
        Some(active) => active.panicked(response),
        None => PendingResponse { response, delivery: None },
    }
}

/// Counts the latency of a request of this flow. Returns the Unix time at which its response was ready.
pub(crate) fn observe(
    worker: &Worker,
    id: RequestId,
    flow: Option<u16>,
    watch: &Stopwatch,
    pending: &PendingResponse,
    end: Instant,
) -> u64 {
    let unix_ns = worker.clock.wall(end).0.unix_ns;
    if let Some(latencies) = flow.and_then(|flow| worker.thread_status.counters.latencies(flow)) {
        let kept = pending.delivery.is_some().then_some((id, unix_ns));
        latencies.observe(watch.since_start_ns(end), kept);
    }
    unix_ns
}

/// The server that has received a request, with the body.
pub(crate) enum RequestSource<'c> {
    /// This one, on a connection of its own.
    Connection(&'c Connection, Incoming),
    /// Another one, which has checked the host and has read the body, or knows why it could not.
    Host {
        /// Number of the flow to which it routes the request, or `None` if it leaves the routing to this service.
        flow: Option<u16>,
        body: Result<Bytes, Rejection>,
    },
}

impl RequestSource<'_> {
    /// Returns the rules for the head of the request.
    const fn head_rules(&self) -> HeadRules {
        match self {
            Self::Connection(..) => HeadRules::ANY,
            Self::Host { flow, .. } => HeadRules { is_host_checked: true, only_flow: *flow },
        }
    }

    /// Notes that the body of a request is not read.
    fn abandon(self) {
        if let Self::Connection(conn, body) = self
            && !http_body::Body::is_end_stream(&body)
        {
            conn.set_unread_body();
        }
    }
}

/// Handles a request whose head has arrived, and sets the number of the flow that takes it. Returns the response and the time
/// at which it was ready.
pub(crate) async fn handle(
    slot: &mut Option<ActiveRequest>,
    flow_number: &mut Option<u16>,
    worker: &Rc<Worker>,
    source: RequestSource<'_>,
) -> (PendingResponse, Instant) {
    let service = &*worker.service;
    let Some(active) = slot else { return (missing_response(), Instant::now()) };
    let TraceContext { traceparent, tracestate } = match route(active, worker, source.head_rules()) {
        Route::Flow(number, context) => {
            *flow_number = Some(number);
            context
        }
        Route::Answered(pending, end) => {
            source.abandon();
            return (pending, end);
        }
    };
    let is_read_here = matches!(source, RequestSource::Connection(..));
    let body = match source {
        RequestSource::Connection(conn, body) => {
            let body = body_reader::read(body, &service.limits, conn).await;
            if body.is_err() {
                conn.set_unread_body();
            }
            body
        }
        RequestSource::Host { body, .. } => body,
    };
    match body {
        Ok(bytes) => {
            if let Some(request) = active.request() {
                request.body = bytes;
            }
        }
        Err(rejection) => return reject(active, service, &rejection),
    }
    if is_read_here {
        let received_ns = active.base_ns + active.watch.tick();
        active.add_read_delay(worker.read_delay(RequestPart::Body, || active.base_ns, received_ns));
    }
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

/// Destination of a request.
enum Route {
    /// The flow with this number, which is set in the request. Also contains the trace context.
    Flow(u16, TraceContext),
    /// No step runs. Contains the response, and the time at which it was ready.
    Answered(PendingResponse, Instant),
}

/// Checks the head of a request, and finds its flow.
fn route(active: &mut ActiveRequest, worker: &Rc<Worker>, rules: HeadRules) -> Route {
    let service = &*worker.service;
    if rules.only_flow.is_none() && active.request().is_some_and(|request| is_status_poll(request)) {
        let response = match &service.health_path {
            Some(_) => health(worker, true, false),
            None => Failure::not_found("path", STATUS_PATH).to_response(),
        };
        active.skip_recording();
        return Route::Answered(PendingResponse { response, delivery: None }, Instant::now());
    }
    let checked =
        active.request().map_or(Err(Rejection::PathNotFound), |request| check(request, service, rules));
    let rejected = |active: &mut ActiveRequest, rejection| {
        let (pending, end) = reject(active, service, &rejection);
        Route::Answered(pending, end)
    };
    // The host of a mounted flow has rules of its own.
    let browser = service.browser.as_ref().filter(|_| !rules.is_host_checked);
    match checked {
        Ok(Routed::Flow(flow, context)) => {
            let number = flow.number();
            if let Some(check) = &service.url_secrets
                && let Some(query) = active.request().and_then(|request| request.uri.query())
            {
                check.check(&flow.info().name, query, &service.secrets);
            }
            active.set_flow(flow);
            if let Some(browser) = browser
                && let Some(Err(rejection)) = active.request().map(|request| browser.check(request))
            {
                return rejected(active, rejection);
            }
            if !service.readiness.is_ready() {
                return rejected(active, Rejection::NotReady);
            }
            Route::Flow(number, context)
        }
        Ok(Routed::Options(allow)) => {
            let preflight = browser
                .zip(active.request())
                .and_then(|(browser, request)| browser.preflight(request, &allow));
            let response = match preflight {
                Some(Ok(response)) => response,
                Some(Err(rejection)) => return rejected(active, rejection),
                None => {
                    let mut response = Response::no_content();
                    response.headers.insert(header::ALLOW, allow);
                    response
                }
            };
            active.watch.tick();
            let end = active.watch.now();
            let pending = active.answer(response, Outcome::Done).unwrap_or_else(missing_response);
            Route::Answered(pending, end)
        }
        Err(Rejection::PathNotFound) if let Some(own_endpoint) = own_endpoint(active, service) => {
            let response = match own_endpoint {
                OwnEndpoint::Health { is_local, is_liveness } => health(worker, is_local, is_liveness),
                #[cfg(feature = "metrics")]
                OwnEndpoint::Metrics(headers) => metrics_endpoint::answer(worker, &headers),
            };
            active.skip_recording();
            Route::Answered(PendingResponse { response, delivery: None }, Instant::now())
        }
        Err(rejection) => rejected(active, rejection),
    }
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
