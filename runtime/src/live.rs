//! A request from its head to its capture. However it ends, also by being dropped, its trace reaches the sink.

use std::sync::Arc;

use zerver_engine::{Arrival, Class, Flow, Job, Request, RequestId, Response, Stop};
use zerver_trace::{Capture, Event, Outcome, SharedValue};

use crate::answered::Answered;
use crate::delivery::Delivery;
use crate::flight::discard;
use crate::schedule::{Board, Entry};
use crate::service::OwnService;
use crate::time::Stopwatch;
use crate::twice::Checked;
use crate::worker::Worker;

pub(crate) struct Live {
    pub(crate) id: RequestId,
    pub(crate) watch: Stopwatch,
    /// The class it was given by its flow or by a rule.
    pub(crate) class: Class,
    /// When its head arrived, on the service's clock.
    pub(crate) base_ns: u64,
    service: Arc<OwnService>,
    unix_ns: u64,
    seed: u64,
    asked: bool,
    /// What of it was read late, before there was a job.
    read_late: Vec<Event<SharedValue>>,
    /// The worker of its connection.
    worker: Option<u16>,
    /// The flow, if one takes it.
    flow: Option<Arc<Flow>>,
    /// None once its job has ended, and before it has begun. Apart, for it is large, and a request moves.
    job: Option<Box<Checked>>,
    /// What is there of the request; none once it has ended.
    request: Option<Arc<Request>>,
    /// The thread on which it runs, and its place there.
    place: Option<(Arc<Board>, usize)>,
    /// Whether somebody else has told the sink of it.
    is_told: bool,
}

impl Live {
    /// A request whose head has arrived when `watch` started.
    pub(crate) fn new(worker: &Worker, watch: Stopwatch, mut request: Request) -> Self {
        let (wall, base_ns) = worker.clock.wall(watch.at(0));
        Self {
            id: worker.ids.next(wall.ordered_ns),
            seed: worker.ids.seed(),
            asked: worker.service.is_asked(&mut request),
            worker: worker.board.worker(),
            unix_ns: wall.unix_ns,
            read_late: Vec::new(),
            flow: None,
            job: None,
            request: Some(Arc::new(request)),
            place: None,
            is_told: false,
            class: Class::default(),
            base_ns,
            service: Arc::clone(&worker.own_service),
            watch,
        }
    }

    /// A part of it was read right after a long step.
    pub(crate) fn was_read_late(&mut self, event: Option<Event<SharedValue>>) {
        self.read_late.extend(event);
    }

    /// This flow takes it.
    pub(crate) fn found(&mut self, flow: Arc<Flow>) {
        self.class = flow.info().class;
        self.flow = Some(flow);
    }

    /// The flow, if one takes it.
    pub(crate) const fn flow(&self) -> Option<&Arc<Flow>> {
        self.flow.as_ref()
    }

    /// The request, until steps see it.
    pub(crate) fn request(&mut self) -> Option<&mut Request> {
        self.request.as_mut().and_then(Arc::get_mut)
    }

    /// The request, also while steps see it.
    pub(crate) fn shared_request(&self) -> Option<Arc<Request>> {
        self.request.clone()
    }

    /// Nothing is to be recorded of it.
    pub(crate) fn forget(&mut self) {
        discard(self.request.take());
    }

    /// Ends with a panic that was caught, and that no step is to blame for.
    pub(crate) fn panicked(mut self, response: Response) -> Answer {
        let answered = response.clone();
        self.end(true, Some(response)).unwrap_or(Answer { response: answered, delivery: None })
    }

    /// The job, to be driven; it is made of the request when it is first asked for. None if no flow takes the request.
    pub(crate) fn job(&mut self) -> Option<(&mut Checked, &mut Stopwatch)> {
        if self.job.is_none() {
            let (flow, request) = (self.flow.as_ref()?, self.request.as_ref()?);
            let arrival =
                Arrival { request: Arc::clone(request), id: self.id, unix_ns: self.unix_ns, seed: self.seed };
            let service = &self.service;
            let is_recorded = service.sink.is_some() || service.twice.is_some();
            let new = if is_recorded { Job::new } else { Job::unrecorded };
            let mut job = new(Arc::clone(flow), arrival, self.watch.now_ns());
            job.read_late(std::mem::take(&mut self.read_late));
            self.job = Some(Box::new(Checked::new(job, service.twice.clone())));
        }
        self.job.as_deref_mut().map(|job| (job, &mut self.watch))
    }

    /// This thread has taken it, which is not that of its connection.
    pub(crate) fn carried(&mut self, board: &Board) {
        if let (Some(to), Some((job, watch))) = (board.thread(), self.job()) {
            job.carried(watch.now_ns(), to);
        }
    }

    /// It runs on this thread from now on.
    pub(crate) fn enter(&mut self, board: &Arc<Board>) {
        self.leave();
        let (Some(flow), Some(request), true) = (&self.flow, &self.request, self.service.sink.is_some())
        else {
            return;
        };
        let place = board.roll.enter(Entry {
            id: self.id,
            flow: Arc::clone(flow.info()),
            class: self.class,
            request: Arc::clone(request),
            unix_ns: self.unix_ns,
            base_ns: self.base_ns,
            seed: self.seed,
            asked: self.asked,
            worker: self.worker,
        });
        self.place = Some((Arc::clone(board), place));
    }

    /// It runs there no longer.
    pub(crate) fn leave(&mut self) {
        if let Some((board, place)) = self.place.take() {
            self.is_told |= !board.roll.leave(place);
        }
    }

    /// Ends with what the job answers; none if it has no answer.
    pub(crate) fn finish(&mut self) -> Option<Answer> {
        let ended = self.job.take()?.finish();
        self.hand_over(ended.response, ended.outcome, ended.events, ended.events_dropped)
    }

    /// Ends before any step has run: answered by the shell itself.
    pub(crate) fn answer(&mut self, response: Response, outcome: Outcome) -> Option<Answer> {
        let events = std::mem::take(&mut self.read_late);
        self.hand_over(Some(response), outcome, events, 0)
    }

    /// Gives the answer back with its capture, which goes to the sink together with what becomes of it; without an answer
    /// the capture goes there at once.
    fn hand_over(
        &mut self,
        response: Option<Response>,
        outcome: Outcome,
        events: Vec<Event<SharedValue>>,
        events_dropped: u32,
    ) -> Option<Answer> {
        self.leave();
        let request = self.request.take()?;
        let Some(sink) = self.service.sink.as_ref().filter(|_| !self.is_told) else {
            discard((events, request));
            return response.map(|response| Answer { response, delivery: None });
        };
        let flow = match &self.flow {
            Some(flow) => flow.info(),
            None => &self.service.no_flow,
        };
        let capture = Box::new(Capture {
            id: self.id,
            flow: Arc::clone(flow),
            class: self.class,
            started_unix_ns: self.unix_ns,
            duration_ns: self.watch.now_ns(),
            seed: self.seed,
            request,
            status: response.as_ref().map_or(0, |response| response.status.as_u16()),
            response: None,
            outcome,
            events,
            events_dropped,
            is_recording_requested: self.asked,
            worker: self.worker,
            is_undelivered: false,
        });
        let Some(response) = response else {
            sink.accept(capture);
            return None;
        };
        let delivery = sink.judge(capture).map(|(mut capture, kept)| {
            capture.response = Some(Arc::new(Answered::new(&response)));
            Delivery::new(Arc::clone(&self.service), capture, kept)
        });
        Some(Answer { response, delivery })
    }
}

/// What a request is answered with.
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// Its capture, if that is to be kept. Dropped, it says that the response was not delivered.
    pub(crate) delivery: Option<Delivery>,
}

impl Live {
    /// Ends, if it has not ended: the client went away, or something panicked that no step is to blame for, such as the drop
    /// of a value. That is answered with `response`.
    fn end(&mut self, panicked: bool, mut response: Option<Response>) -> Option<Answer> {
        self.request.as_ref()?;
        let (mut outcome, mut events, mut events_dropped, mut step) = (None, Vec::new(), 0, 0);
        if let Some(mut job) = self.job.take() {
            step = job.position();
            // An answer that was known by then stays what it was, and so does when that was.
            if job.ended().is_none() {
                job.stop(Stop::Gone, self.watch.tick());
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
        self.hand_over(response, outcome.unwrap_or(Outcome::Gone { step }), events, events_dropped)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.end(std::thread::panicking(), None));
    }
}
