//! Handles one request: checks it, routes it, reads its body, dispatches it to the scheduler and builds the response.

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Version};
use hyper::body::Incoming;
use zerver_engine::{Failure, Params, ReceivedBody, Request, RequestId};
use zerver_trace::{Event, RequestPart, SharedValue};

use super::body_reader;
#[cfg(feature = "compression")]
use super::compression;
use super::connection::connection_state::Connection;
use super::connection::in_flight_guard::InFlightGuard;
use super::connection::message_framing::BodyFraming;
use super::fallback_request::answer_by_fallback;
use super::headers::trace_context::{self, TraceContext};
use super::outgoing_response::OutgoingResponse;
use super::request_source::{RequestSource, while_pumping};
use super::response_body::ResponseBody;
use super::routing::{Matched, Route, missing_response, reject, route};
use crate::effects::interpreter::EffectContext;
use crate::effects::stream::body_channel;
use crate::execution::active_request::{ActiveRequest, PendingResponse};
use crate::execution::safe_drop::discard;
use crate::execution::{stream_task, undo_task};
use crate::scheduler;
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
        let peer = match &worker.service.proxies {
            None => conn.peer(),
            Some(proxies) => proxies.client_of(conn.peer(), &parts.headers),
        };
        let request = Request {
            method: parts.method,
            uri: parts.uri,
            version: parts.version,
            headers: parts.headers,
            body: Bytes::new(),
            received: None,
            params: Params::new(),
            peer: Some(peer),
        };
        let mut active = receive(worker, watch, request);
        #[cfg(feature = "compression")]
        if worker.service.compression.responses {
            active.coding = active.request().and_then(|request| compression::accepted(&request.headers));
        }
        active.add_read_delay(head_read_delay(worker, conn, active.base_ns));
        Self { worker: Rc::clone(worker), in_flight, active, body, is_head, is_http2 }
    }

    /// Returns the time at which its head arrived.
    pub(super) fn arrived(&self) -> Instant {
        self.active.watch.at(0)
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
    let (id, watch, mut matched) = (active.id, active.watch.clone(), Matched::default());
    let mut active = Some(active);
    let origin = match (&worker.service.browser, &mut active) {
        (Some(browser), Some(active)) => active.request().and_then(|request| browser.allowed_origin(request)),
        _ => None,
    };
    let source = RequestSource::Connection(&in_flight.conn, body);
    let handled = AssertUnwindSafe(handle(&mut active, &mut matched, &worker, source))
        .catch_unwind()
        .await
        .map_err(|panic| panicked(active.take(), panic));
    let (mut pending, end) = handled.unwrap_or_else(|response| (response, Instant::now()));
    #[cfg(feature = "compression")]
    if let (Some(coding), None) = (pending.coding, &pending.stream)
        && !is_head
    {
        let (min_bytes, runtime) =
            (worker.service.compression.min_bytes, worker.service.effect_runtime.handle());
        Box::pin(compression::compress(&mut pending.response, coding, min_bytes, runtime)).await;
    }
    if let Some(browser) = &worker.service.browser {
        browser.finish(&mut pending.response.headers, origin.as_deref());
    }
    let unix_ns = observe(&worker, id, matched.flow, &watch, &pending, end);
    matched.add_headers(&mut pending);
    let close = !is_http2 && (worker.drain.is_draining() || in_flight.conn.has_unread_body());
    let date = worker.date.at(unix_ns);
    let outgoing = OutgoingResponse { pending, id, date, is_head, is_http2, close };
    Ok(match outgoing.pending.stream {
        None => outgoing.into_http(in_flight.end(end)),
        Some(_) => outgoing.into_streamed_http(in_flight),
    })
}

/// Ends a request after a panic outside of a step, for example when a value was dropped. Only this request fails.
pub(crate) fn panicked(active: Option<ActiveRequest>, panic: Box<dyn Any + Send>) -> PendingResponse {
    discard(panic);
    let response = Failure::internal("request").to_response();
    match active {
        Some(active) => active.panicked(response),
        None => PendingResponse::whole(response),
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
        let duration_ns = watch.since_start_ns(end);
        latencies.observe(duration_ns, kept);
        if let Some(slo) = latencies.slo() {
            let now_ns = worker.worker_context.service_clock.since_ns(end);
            slo.count(now_ns, duration_ns, pending.response.status.is_server_error());
        }
    }
    unix_ns
}

/// Handles a request whose head has arrived, and sets the route that it takes. Returns the response and the time
/// at which it was ready.
pub(crate) async fn handle(
    slot: &mut Option<ActiveRequest>,
    matched: &mut Matched,
    worker: &Rc<Worker>,
    source: RequestSource<'_>,
) -> (PendingResponse, Instant) {
    let service = &*worker.service;
    let Some(active) = slot else { return (missing_response(), Instant::now()) };
    let TraceContext { traceparent, tracestate } = match route(active, worker, source.head_rules(), matched) {
        Route::Flow(number, context) => {
            matched.flow = Some(number);
            context
        }
        Route::Fallback => return Box::pin(answer_by_fallback(slot, worker, source)).await,
        Route::Answered(pending, end) => {
            source.abandon();
            return (pending, end);
        }
    };
    let is_read_here = matches!(source, RequestSource::Connection(..));
    let streamed_limit = active.flow().and_then(|flow| flow.streamed_body());
    let mut pump = None;
    let mut unread_body = None;
    let body = match source {
        source if let Some(limit) = streamed_limit => {
            let received = ReceivedBody::default();
            if let Some(request) = active.request() {
                request.received = Some(received.clone());
            }
            let (sender, unread) = body_channel(limit, received);
            unread_body = Some(unread);
            match source.stream_body(sender, limit, &service.limits) {
                Ok(pumping) => pump = Some(pumping),
                Err(rejection) => return reject(active, service, &rejection),
            }
            Ok(Bytes::new())
        }
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
            #[cfg(feature = "compression")]
            let bytes = match active.request() {
                Some(request)
                    if service.compression.requests && compression::is_encoded(&request.headers) =>
                {
                    let (limit, runtime) = (service.limits.body_bytes, service.effect_runtime.handle());
                    match Box::pin(compression::decode(request, bytes, limit, runtime)).await {
                        Ok(bytes) => bytes,
                        Err(rejection) => return reject(active, service, &rejection),
                    }
                }
                _ => bytes,
            };
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
    let context = EffectContext {
        request_id: Some(active.id),
        traceparent,
        tracestate,
        baggage,
        stream: None,
        body: unread_body,
    };
    // Rare paths are boxed: they must not enlarge the future of every request, which is copied into the pool.
    let handoff = match &mut pump {
        // Awaited in place: a future that is kept in a variable first would take its room twice.
        None => scheduler::dispatch_request(worker, active, &context).await,
        Some(pump) => {
            Box::pin(while_pumping(scheduler::dispatch_request(worker, active, &context), pump)).await
        }
    };
    let must_undo = handoff.is_none() && active.must_undo();
    if must_undo && let Some(active) = slot.take() {
        return Box::pin(undo(active, context)).await;
    }
    if let Some(handoff) = handoff
        && let Some(active) = slot.take()
    {
        let completed = Box::pin(handoff.complete(worker, active, context.clone()));
        let active = match &mut pump {
            None => completed.await,
            Some(pump) => Box::pin(while_pumping(completed, pump)).await,
        };
        if active.must_undo() {
            return Box::pin(undo(active, context)).await;
        }
        *slot = Some(active);
    }
    if let Some(active) = slot.take_if(|active| active.streamed_response().is_some()) {
        let end = active.watch.now();
        return (stream_task::respond(active, context, is_read_here).unwrap_or_else(missing_response), end);
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
