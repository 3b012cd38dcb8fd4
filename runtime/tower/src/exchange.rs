//! A request and what is known of it so far. The layer, the bodies and the spans of the request share it, and add to it from any
//! thread. Nothing is encoded here: the recorder does that, on its own thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use zerver_trace::{
    Answer, Capture, Class, EndedRequest, Event, FlowInfo, Kept, LogLevel, Message, MessagePart, Name,
    Outcome, RecordedBy, RequestId, SharedValue, TypedValue,
};

use crate::body_prefix::BodyPrefix;
use crate::messages::{RecordedResponse, RequestHead, visit_body};
use crate::route::Route;

/// Maximum number of events of a request. Further ones are counted.
const MAX_EVENTS: usize = 20_000;
/// Maximum size of the texts of a request's spans and lines, in bytes, which is what a recorder keeps of values. Further ones are
/// counted.
const MAX_TEXT_BYTES: usize = 2 << 20;
/// Step of all events: the handler.
const HANDLER: u16 = 0;

/// A request that is being handled, or has been.
pub(crate) struct Exchange {
    pub(crate) id: RequestId,
    pub(crate) head: RequestHead,
    pub(crate) route: Option<Route>,
    pub(crate) is_recording_requested: bool,
    /// Length of the request's body, if it was announced.
    announced: Option<u64>,
    body_limit: usize,
    started: Instant,
    started_unix_ns: u64,
    progress: Mutex<Progress>,
}

/// The part of an exchange that changes.
#[derive(Default)]
struct Progress {
    body: BodyPrefix,
    events: Vec<Event<SharedValue>>,
    /// Number of calls that have begun, and of those that have not ended.
    calls: u32,
    open_calls: usize,
    /// Size of the texts of spans and lines, in bytes.
    text_bytes: usize,
    dropped: u32,
    /// True once the capture was made. What happens later is not recorded.
    has_ended: bool,
}

impl Exchange {
    /// Creates the exchange of a request that has just arrived.
    pub(crate) fn new(
        id: RequestId,
        started_unix_ns: u64,
        head: RequestHead,
        route: Option<Route>,
        is_recording_requested: bool,
        announced: Option<u64>,
        body_limit: usize,
    ) -> Self {
        Self {
            id,
            head,
            route,
            is_recording_requested,
            announced,
            body_limit,
            started: Instant::now(),
            started_unix_ns,
            progress: Mutex::default(),
        }
    }

    /// Returns the time since the request arrived.
    pub(crate) fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) const fn body_limit(&self) -> usize {
        self.body_limit
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a part of the request's body that the handler has read.
    pub(crate) fn received(&self, chunk: &Bytes) {
        let mut progress = self.progress();
        if !progress.has_ended {
            progress.body.push(chunk, self.body_limit, false);
        }
    }

    /// Records that the handler has read the whole body.
    pub(crate) fn received_all(&self) {
        let at_ns = self.now_ns();
        self.progress().add(Event::BodyReceived { at_ns });
    }

    /// Begins a call, and returns its number. `text_bytes` is the size of its arguments. Returns `None` if the trace has no room
    /// for it, or the request has ended.
    pub(crate) fn begin_call(&self, kind: Name, args: SharedValue, text_bytes: usize) -> Option<u32> {
        let at_ns = self.now_ns();
        self.progress().begin(at_ns, kind, args, text_bytes)
    }

    /// Ends a call.
    pub(crate) fn end_call(&self, call: u32, answer: Answer<SharedValue>) {
        let at_ns = self.now_ns();
        self.progress().end(call, at_ns, answer);
    }

    /// Adds a call that is over.
    pub(crate) fn add_call(
        &self,
        from_ns: u64,
        kind: Name,
        args: SharedValue,
        text_bytes: usize,
        answer: Answer<SharedValue>,
    ) {
        let until_ns = self.now_ns();
        let mut progress = self.progress();
        if let Some(call) = progress.begin(from_ns.min(until_ns), kind, args, text_bytes) {
            progress.end(call, until_ns, answer);
        }
    }

    /// Adds the stream of the response's body as a call.
    pub(crate) fn add_stream(
        &self,
        from_ns: u64,
        first_ns: Option<u64>,
        args: SharedValue,
        answer: Answer<SharedValue>,
    ) {
        let until_ns = self.now_ns();
        let mut progress = self.progress();
        let Some(call) = progress.begin(from_ns, Name::from("stream"), args, 0) else { return };
        if let Some(at_ns) = first_ns {
            progress.add(Event::EffectPoint { call, at_ns, point: Name::from("first byte") });
        }
        progress.end(call, until_ns, answer);
    }

    /// Adds a line that was logged by this call, or by the handler outside of calls.
    pub(crate) fn log(&self, call: Option<u32>, level: LogLevel, target: Name, line: String) {
        let at_ns = self.now_ns();
        let mut progress = self.progress();
        if progress.has_room(1, line.len()) {
            progress.text_bytes += line.len();
            let line: SharedValue = Arc::new(TypedValue(line));
            progress.add(match call {
                Some(call) => Event::Logged { call, at_ns, level, target, line },
                None => Event::StepLogged { step: HANDLER, at_ns, level, target, line },
            });
        }
    }

    /// Ends the exchange, and returns its capture. Returns `None` if it has ended before, or if `decide`, the policy, does not keep
    /// it.
    pub(crate) fn end(
        self: &Arc<Self>,
        flow: &Arc<FlowInfo>,
        response: Option<RecordedResponse>,
        outcome: Outcome,
        is_undelivered: bool,
        decide: impl FnOnce(&EndedRequest<'_>) -> Option<Kept>,
    ) -> Option<(Box<Capture>, Kept)> {
        let duration_ns = self.now_ns();
        let status = response.as_ref().map_or(0, |response| response.status);
        let (mut events, events_dropped) = {
            let mut progress = self.progress();
            if std::mem::replace(&mut progress.has_ended, true) {
                return None;
            }
            (std::mem::take(&mut progress.events), progress.dropped)
        };
        let kept = decide(&EndedRequest {
            id: self.id,
            flow,
            started_unix_ns: self.started_unix_ns,
            duration_ns,
            status,
            outcome: &outcome,
            is_recording_requested: self.is_recording_requested,
        })?;
        // A call that was reported when it was over began before events that were reported earlier.
        if !events.is_sorted_by_key(at_ns) {
            events.sort_by_key(at_ns);
        }
        let capture = Box::new(Capture {
            id: self.id,
            flow: Arc::clone(flow),
            class: Class::default(),
            started_unix_ns: self.started_unix_ns,
            duration_ns,
            seed: 0,
            request: Arc::clone(self) as Arc<dyn Message>,
            status,
            response: response.map(|response| Arc::new(response) as Arc<dyn Message>),
            outcome,
            events,
            events_dropped,
            is_recording_requested: self.is_recording_requested,
            worker: None,
            is_undelivered,
            recorded_by: RecordedBy::Layer,
        });
        Some((capture, kept))
    }
}

impl Message for Exchange {
    fn visit_parts(&self, body_limit: usize, visit: &mut dyn FnMut(MessagePart<'_>)) {
        self.head.visit(visit);
        let progress = self.progress();
        // What the handler has not read is missing, and not absent.
        let full_len = progress.body.full_len.max(self.announced.unwrap_or(0));
        visit_body(&progress.body, full_len, body_limit, visit);
    }

    fn buffered_bytes(&self) -> usize {
        self.progress().body.bytes().len()
    }
}

impl Progress {
    /// Returns true if there is room for this number of events and bytes of text. Counts what has none.
    fn has_room(&mut self, events: usize, text_bytes: usize) -> bool {
        if self.has_ended {
            return false;
        }
        // Each call that has begun still needs its end.
        let has_room = self.events.len() + self.open_calls + events <= MAX_EVENTS
            && self.text_bytes.saturating_add(text_bytes) <= MAX_TEXT_BYTES;
        self.dropped = self.dropped.saturating_add(u32::from(!has_room));
        has_room
    }

    fn add(&mut self, event: Event<SharedValue>) {
        if self.has_room(1, 0) {
            self.events.push(event);
        }
    }

    fn begin(&mut self, at_ns: u64, kind: Name, args: SharedValue, text_bytes: usize) -> Option<u32> {
        if !self.has_room(2, text_bytes) {
            return None;
        }
        let call = self.calls;
        let timeout_ns = None;
        self.events.push(Event::EffectRequested {
            call,
            step: HANDLER,
            at_ns,
            kind,
            args,
            attempt: 1,
            timeout_ns,
        });
        self.calls += 1;
        self.open_calls += 1;
        self.text_bytes += text_bytes;
        Some(call)
    }

    fn end(&mut self, call: u32, at_ns: u64, answer: Answer<SharedValue>) {
        if !self.has_ended {
            self.open_calls -= 1;
            self.events.push(Event::EffectCompleted { call, at_ns, answer });
        }
    }
}

/// Returns the time of an event of this module.
const fn at_ns(event: &Event<SharedValue>) -> u64 {
    match event {
        Event::BodyReceived { at_ns }
        | Event::EffectRequested { at_ns, .. }
        | Event::EffectPoint { at_ns, .. }
        | Event::EffectCompleted { at_ns, .. }
        | Event::Logged { at_ns, .. }
        | Event::StepLogged { at_ns, .. } => *at_ns,
        _ => 0,
    }
}

/// Returns the wall time in nanoseconds since the Unix epoch.
pub(crate) fn unix_now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
