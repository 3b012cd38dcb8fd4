//! Answers the requests of other servers on a worker.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use http::Method;
use zerver_trace::RequestPart;

use super::mounted_body::MountedBody;
use super::mounted_request::MountedRequest;
use crate::execution::active_request::{ActiveRequest, PendingResponse};
use crate::execution::request_ids;
use crate::execution::streamed_body::StreamedBody;
use crate::http::{Matched, Rejection, RequestSource, finish_head, handle, observe, panicked, receive};
use crate::server::workers::worker::Worker;
use crate::time::Stopwatch;

/// A request in flight on a worker.
pub(crate) struct InFlight(Rc<Worker>);

impl InFlight {
    /// Counts a request that the registry has assigned to this worker.
    pub(crate) fn begin(worker: &Rc<Worker>) -> Self {
        worker.connections.add_mounted();
        Self(Rc::clone(worker))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.thread_status.remove_connection();
        self.0.connections.remove_mounted();
    }
}

/// Answers a request of another server.
pub(crate) async fn serve(InFlight(worker): &InFlight, mounted: MountedRequest) {
    let MountedRequest { head, body, flow, received, sent, mut respond_to } = mounted;
    let is_head = head.method == Method::HEAD;
    let mut active = receive(worker, Stopwatch::since(received), head);
    active.watch.tick();
    let service_clock = &worker.worker_context.service_clock;
    active.add_read_delay(worker.read_delay(
        RequestPart::Head,
        || service_clock.since_ns(sent),
        service_clock.elapsed_ns(),
    ));
    let id = active.id;
    let pending = tokio::select! {
        biased;
        pending = answer(worker, active, body, flow) => pending,
        // The request is recorded as one whose client has left.
        () = respond_to.closed() => return,
    };
    let PendingResponse { response, delivery, announced, stream, .. } = pending;
    let response =
        finish_head(response, request_ids::header_value(id), is_head, announced).map(|bytes| match stream {
            Some(stream) => MountedBody::streamed(StreamedBody::new(stream)),
            None => MountedBody::new(bytes, delivery),
        });
    let _ = respond_to.send(response);
}

async fn answer(
    worker: &Rc<Worker>,
    active: ActiveRequest,
    body: Result<Bytes, Rejection>,
    flow: Option<u16>,
) -> PendingResponse {
    let (id, watch, mut matched) = (active.id, active.watch.clone(), Matched::default());
    let mut slot = Some(active);
    let source = RequestSource::Host { flow, body };
    let handled = AssertUnwindSafe(handle(&mut slot, &mut matched, worker, source))
        .catch_unwind()
        .await
        .map_err(|panic| panicked(slot.take(), panic));
    let (mut pending, end) = handled.unwrap_or_else(|response| (response, Instant::now()));
    observe(worker, id, matched.flow, &watch, &pending, end);
    matched.add_headers(&mut pending);
    pending
}
