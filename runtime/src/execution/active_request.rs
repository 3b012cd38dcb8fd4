//! A request from its head to its capture. Its trace reaches the sink however the request ends, even if it is dropped.

use std::sync::Arc;

use zerver_engine::{Arrival, Class, Flow, Job, Request, RequestId, Response, StopReason};
use zerver_trace::{Capture, EndedRequest, Event, Message, Outcome, RecordedBy, SharedValue, Thread};

use super::checked_job::CheckedJob;
use super::delivery::Delivery;
use super::request_ids::RequestIds;
use super::response_capture::CapturedResponse;
use super::safe_drop::discard;
use super::streamed_body::StreamReceiver;
use super::undo_task;
use crate::effects::interpreter::EffectContext;
use crate::effects::stream::StreamOutput;
use crate::http::Coding;
use crate::scheduler::{ActiveEntry, ThreadStatus};
use crate::server::service::WorkerService;
use crate::time::{Stopwatch, WorkerClock};

pub(crate) struct ActiveRequest {
    pub(crate) id: RequestId,
    pub(crate) watch: Stopwatch,
    /// Class that the flow or a rule has set.
    pub(crate) class: Class,
    /// Time at which the head arrived, on the clock of the service.
    pub(crate) base_ns: u64,
    service: Arc<WorkerService>,
    unix_ns: u64,
    seed: u64,
    is_recording_requested: bool,
    /// Read delays from before the job existed.
    read_delays: Vec<Event<SharedValue>>,
    /// Worker that owns the connection.
    worker: Option<u16>,
    /// `None` if no flow takes the request.
    flow: Option<Arc<Flow>>,
    /// `None` before the job starts and after it ends. Boxed, because a job is large and a request is moved.
    job: Option<Box<CheckedJob>>,
    /// `None` once the request has ended.
    request: Option<Arc<Request>>,
    /// The thread that runs the request, and the index of its row in the table there.
    row: Option<(Arc<ThreadStatus>, usize)>,
    /// True if another thread has passed the request to the sink.
    is_captured: bool,
    /// True once another task undoes what the request did, or makes the body of its response.
    has_ending_task: bool,
    /// True if the fallback answers the request.
    is_of_fallback: bool,
    /// The coding that the client accepts for the response, if it may be compressed.
    pub(crate) coding: Option<Coding>,
    /// Where the body of the response is sent while it is made.
    streamed_to: Option<StreamOutput>,
}

impl ActiveRequest {
    /// Creates a request whose head arrived when `watch` started, on a connection of `worker`.
    pub(crate) fn new(
        service: &Arc<WorkerService>,
        clock: &WorkerClock,
        ids: &RequestIds,
        worker: Option<u16>,
        watch: Stopwatch,
        mut request: Request,
    ) -> Self {
        let (wall, base_ns) = clock.wall(watch.at(0));
        Self {
            id: ids.next(wall.ordered_ns),
            seed: ids.seed(),
            is_recording_requested: service.is_recording_requested(&mut request),
            worker,
            unix_ns: wall.unix_ns,
            read_delays: Vec::new(),
            flow: None,
            job: None,
            request: Some(Arc::new(request)),
            row: None,
            is_captured: false,
            has_ending_task: false,
            is_of_fallback: false,
            coding: None,
            streamed_to: None,
            class: Class::default(),
            base_ns,
            service: Arc::clone(service),
            watch,
        }
    }

    /// Records that a part of the request was read late, because of a long step.
    pub(crate) fn add_read_delay(&mut self, event: Option<Event<SharedValue>>) {
        self.read_delays.extend(event);
    }

    /// Sets the flow that takes the request.
    pub(crate) fn set_flow(&mut self, flow: Arc<Flow>) {
        self.class = flow.info().class;
        if flow.is_uncompressed() {
            self.coding = None;
        }
        self.flow = Some(flow);
    }

    /// Leaves the request to the fallback.
    pub(crate) const fn set_fallback(&mut self) {
        self.is_of_fallback = true;
    }

    /// Returns the flow, or `None` if no flow takes the request.
    pub(crate) const fn flow(&self) -> Option<&Arc<Flow>> {
        self.flow.as_ref()
    }

    /// Returns the request for changes, or `None` once steps can read it.
    pub(crate) fn request(&mut self) -> Option<&mut Request> {
        self.request.as_mut().and_then(Arc::get_mut)
    }

    /// Returns the request, even while steps read it.
    pub(crate) fn shared_request(&self) -> Option<Arc<Request>> {
        self.request.clone()
    }

    /// Drops the request, so that it is not recorded.
    pub(crate) fn skip_recording(&mut self) {
        discard(self.request.take());
    }

    /// Ends the request after a panic outside of a step.
    pub(crate) fn panicked(mut self, response: Response) -> PendingResponse {
        let fallback = response.clone();
        self.end(true, Some(response)).unwrap_or(PendingResponse::whole(fallback))
    }

    /// Returns the job, which the first call creates. Returns `None` if no flow takes the request.
    pub(crate) fn job(&mut self) -> Option<(&mut CheckedJob, &mut Stopwatch)> {
        if self.job.is_none() {
            let (flow, request) = (self.flow.as_ref()?, self.request.as_ref()?);
            let arrival =
                Arrival { request: Arc::clone(request), id: self.id, unix_ns: self.unix_ns, seed: self.seed };
            let service = &self.service;
            let is_recorded = service.sink.is_some() || service.purity_check.is_some();
            let (flow, received_ns, check) =
                (Arc::clone(flow), self.watch.now_ns(), service.purity_check.clone());
            // Boxed at once: the job is large.
            let mut job = match is_recorded {
                true => Box::new(CheckedJob::new(Job::new(flow, arrival, received_ns), check)),
                false => Box::new(CheckedJob::new(Job::new_unrecorded(flow, arrival, received_ns), check)),
            };
            job.record_read_delays(std::mem::take(&mut self.read_delays));
            self.job = Some(job);
        }
        self.job.as_deref_mut().map(|job| (job, &mut self.watch))
    }

    /// Records that the request runs on this thread, which is not the one of its connection.
    pub(crate) fn migrated_to(&mut self, thread_status: &ThreadStatus) {
        if let (Some(to), Some((job, watch))) = (thread_status.thread(), self.job()) {
            job.record_migrated(watch.now_ns(), to);
        }
    }

    /// Adds the request to the table of this thread, which runs it from now on.
    pub(crate) fn enter_thread(&mut self, thread_status: &Arc<ThreadStatus>) {
        self.leave_thread();
        let (Some(flow), Some(request), true) = (&self.flow, &self.request, self.service.sink.is_some())
        else {
            return;
        };
        let row = thread_status.active_table.insert(ActiveEntry {
            id: self.id,
            flow: Arc::clone(flow.info()),
            class: self.class,
            request: Arc::clone(request),
            unix_ns: self.unix_ns,
            base_ns: self.base_ns,
            seed: self.seed,
            is_recording_requested: self.is_recording_requested,
            worker: self.worker,
        });
        self.row = Some((Arc::clone(thread_status), row));
    }

    /// Removes the request from the table of its thread.
    pub(crate) fn leave_thread(&mut self) {
        if let Some((thread_status, row)) = self.row.take() {
            self.is_captured |= !thread_status.active_table.remove(row);
        }
    }

    pub(crate) const fn service(&self) -> &Arc<WorkerService> {
        &self.service
    }

    /// Leaves the request to the task that undoes what it did, or makes the body of its response. If that is dropped, the rest
    /// is not done.
    pub(crate) fn begin_ending_task(&mut self) {
        self.leave_thread();
        self.has_ending_task = true;
    }

    /// Returns true if the request has failed and must undo what it did.
    pub(crate) fn must_undo(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.is_undoing())
    }

    /// Returns the head of the response if its body has to be made.
    pub(crate) fn streamed_response(&self) -> Option<&Response> {
        self.job.as_ref()?.streamed_response()
    }

    /// Leaves the request to the task that makes the body of its response, and sends it to this output.
    pub(crate) fn begin_stream_task(&mut self, output: StreamOutput) {
        self.begin_ending_task();
        self.streamed_to = Some(output);
    }

    /// Returns the thread that runs the request, or that of its connection.
    pub(crate) fn thread(&self) -> Option<Thread> {
        let row = self.row.as_ref().and_then(|(thread_status, _)| thread_status.thread());
        row.or_else(|| self.worker.map(Thread::Worker))
    }

    /// Ends the request with the response of the job. Returns `None` if the job has no response.
    pub(crate) fn finish(&mut self) -> Option<PendingResponse> {
        let ended = self.job.take()?.finish();
        self.deliver(ended.response, ended.outcome, ended.events, ended.events_dropped)
    }

    /// Ends the request with a response of the runtime, before any step has run.
    pub(crate) fn answer(&mut self, response: Response, outcome: Outcome) -> Option<PendingResponse> {
        let events = std::mem::take(&mut self.read_delays);
        self.deliver(Some(response), outcome, events, 0)
    }

    /// Returns the response with its capture, which reaches the sink once the delivery has succeeded or failed. Without a
    /// response, the capture reaches the sink at once.
    fn deliver(
        &mut self,
        response: Option<Response>,
        outcome: Outcome,
        events: Vec<Event<SharedValue>>,
        events_dropped: u32,
    ) -> Option<PendingResponse> {
        self.leave_thread();
        let request = self.request.take()?;
        let fallback = self.service.fallback.as_ref().filter(|_| self.is_of_fallback);
        let flow = match (&self.flow, fallback) {
            (Some(flow), _) => flow.info(),
            (None, Some(fallback)) => &fallback.flow,
            (None, None) => &self.service.no_flow,
        };
        let (status, duration_ns) =
            (response.as_ref().map_or(0, |response| response.status.as_u16()), self.watch.now_ns());
        let sink = self.service.sink.as_ref().filter(|_| !self.is_captured);
        let kept = sink.and_then(|sink| {
            let kept = sink.decide(&EndedRequest {
                id: self.id,
                flow,
                started_unix_ns: self.unix_ns,
                duration_ns,
                status,
                outcome: &outcome,
                is_recording_requested: self.is_recording_requested,
            })?;
            Some((sink, kept))
        });
        let Some((sink, kept)) = kept else {
            discard((events, request));
            return response
                .map(|response| PendingResponse { coding: self.coding, ..PendingResponse::whole(response) });
        };
        let captured = response.as_ref().map(|response| {
            Arc::new(CapturedResponse::new(response, self.streamed_to.as_ref())) as Arc<dyn Message>
        });
        let capture = Box::new(Capture {
            id: self.id,
            flow: Arc::clone(flow),
            class: self.class,
            started_unix_ns: self.unix_ns,
            duration_ns,
            seed: self.seed,
            request,
            status,
            response: captured,
            outcome,
            events,
            events_dropped,
            is_recording_requested: self.is_recording_requested,
            worker: self.worker,
            is_undelivered: false,
            recorded_by: if fallback.is_some() { RecordedBy::Layer } else { RecordedBy::Runtime },
        });
        let Some(response) = response else {
            sink.accept_kept(capture, kept);
            return None;
        };
        let delivery = Some(Delivery::new(Arc::clone(&self.service), capture, kept));
        Some(PendingResponse { response, delivery, coding: self.coding, announced: None, stream: None })
    }
}

/// A response that is about to be sent.
pub(crate) struct PendingResponse {
    pub(crate) response: Response,
    /// Capture of the request, if it is kept. Dropping it records that the response was not delivered.
    pub(crate) delivery: Option<Delivery>,
    /// The coding that the client accepts for it, if it may be compressed.
    #[cfg_attr(not(feature = "compression"), expect(dead_code, reason = "there is no coding"))]
    pub(crate) coding: Option<Coding>,
    /// Length of the body that the response to a HEAD request does not have, if another service announces it.
    pub(crate) announced: Option<u64>,
    /// Receiver of the body, if it is streamed. Dropping it cancels the stream.
    pub(crate) stream: Option<StreamReceiver>,
}

impl PendingResponse {
    /// Creates a response that is sent as it is, and is not recorded.
    pub(crate) const fn whole(response: Response) -> Self {
        Self { response, delivery: None, coding: None, announced: None, stream: None }
    }
}

impl ActiveRequest {
    /// Passes the request on if its effects must be undone because the client left. Returns true if so.
    fn is_undone_later(&mut self) -> bool {
        let Some(job) = self.job.as_mut().filter(|_| !self.has_ending_task) else { return false };
        if job.outcome().is_none() {
            job.stop(StopReason::ClientLeft, self.watch.tick());
        }
        if !job.is_undoing() {
            return false;
        }
        let context = EffectContext { request_id: Some(self.id), ..EffectContext::default() };
        drop(undo_task::start(self.take(), context));
        true
    }

    /// Moves the request out. What stays has ended.
    fn take(&mut self) -> Self {
        Self {
            id: self.id,
            watch: self.watch.clone(),
            class: self.class,
            base_ns: self.base_ns,
            service: Arc::clone(&self.service),
            unix_ns: self.unix_ns,
            seed: self.seed,
            is_recording_requested: self.is_recording_requested,
            read_delays: std::mem::take(&mut self.read_delays),
            worker: self.worker,
            flow: self.flow.take(),
            job: self.job.take(),
            request: self.request.take(),
            row: self.row.take(),
            is_captured: self.is_captured,
            has_ending_task: self.has_ending_task,
            is_of_fallback: self.is_of_fallback,
            coding: self.coding,
            streamed_to: self.streamed_to.take(),
        }
    }

    /// Ends the request, unless it has ended: the client left, or code outside of a step panicked, such as the drop of a value.
    /// A panic is answered with `response`.
    fn end(&mut self, panicked: bool, mut response: Option<Response>) -> Option<PendingResponse> {
        self.request.as_ref()?;
        if !panicked && self.is_undone_later() {
            return None;
        }
        let (mut outcome, mut events, mut events_dropped, mut step) = (None, Vec::new(), 0, 0);
        if let Some(mut job) = self.job.take() {
            step = job.position();
            // If the job has already ended, its outcome and its time stay.
            if job.outcome().is_none() || job.streamed_response().is_some() {
                job.stop(StopReason::ClientLeft, self.watch.tick());
            }
            let ended = job.finish();
            (outcome, events, events_dropped) = (Some(ended.outcome), ended.events, ended.events_dropped);
            response = response.or(ended.response);
        } else {
            self.watch.tick();
        }
        if panicked {
            let message = "a value panicked outside of a step".to_owned();
            outcome = Some(Outcome::Panicked { step, message });
        }
        self.deliver(response, outcome.unwrap_or(Outcome::ClientLeft { step }), events, events_dropped)
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        drop(self.end(std::thread::panicking(), None));
    }
}
