//! Data that a running request collects. Values are shared pointers here, and are encoded only if the trace is kept.

use std::sync::Arc;

use crate::{Class, Event, FlowInfo, Kept, Message, Outcome, RecordedBy, RequestId, SharedValue};

/// Everything that one request left behind, before the recording policy decides whether to keep it.
pub struct Capture {
    /// Id of the request.
    pub id: RequestId,
    /// Flow of the request.
    pub flow: Arc<FlowInfo>,
    /// Priority class of the request.
    pub class: Class,
    /// Arrival of the complete request head, in nanoseconds since the Unix epoch.
    pub started_unix_ns: u64,
    /// Time from the arrival of the head to the response, in nanoseconds.
    pub duration_ns: u64,
    /// Seed of the randomness that the steps used.
    pub seed: u64,
    /// The request.
    pub request: Arc<dyn Message>,
    /// The response, or `None` if the client had left before there was one.
    pub response: Option<Arc<dyn Message>>,
    /// Status of the response, or 0 without a response.
    pub status: u16,
    /// Outcome of the request.
    pub outcome: Outcome,
    /// Events of the request, in order.
    pub events: Vec<Event<SharedValue>>,
    /// Number of events left out because there were too many.
    pub events_dropped: u32,
    /// True if the request asked to be recorded and was allowed to.
    pub is_recording_requested: bool,
    /// Worker of the connection, or `None` if unknown.
    pub worker: Option<u16>,
    /// True if the client left before it had received the whole response.
    pub is_undelivered: bool,
    /// The part of zerver that recorded the request.
    pub recorded_by: RecordedBy,
}

/// A request that has ended, as far as the recording policy looks at it. No capture has been made of it yet.
#[derive(Debug, Clone, Copy)]
pub struct EndedRequest<'a> {
    /// Id of the request.
    pub id: RequestId,
    /// Flow of the request.
    pub flow: &'a FlowInfo,
    /// Arrival of the complete request head, in nanoseconds since the Unix epoch.
    pub started_unix_ns: u64,
    /// Time from the arrival of the head to the response, in nanoseconds.
    pub duration_ns: u64,
    /// Status of the response, or 0 without a response.
    pub status: u16,
    /// Outcome of the request.
    pub outcome: &'a Outcome,
    /// True if the request asked to be recorded and was allowed to.
    pub is_recording_requested: bool,
}

impl Capture {
    /// Returns what the recording policy knows of the request.
    pub fn ended(&self) -> EndedRequest<'_> {
        EndedRequest {
            id: self.id,
            flow: &self.flow,
            started_unix_ns: self.started_unix_ns,
            duration_ns: self.duration_ns,
            status: self.status,
            outcome: &self.outcome,
            is_recording_requested: self.is_recording_requested,
        }
    }
}

/// A destination of captures. Implementations must neither block nor fail.
pub trait CaptureSink: Send + Sync {
    /// Takes over the capture of a finished request.
    fn accept(&self, capture: Box<Capture>);

    /// Applies the recording policy, once for each request. Returns the reason if the request is to be kept; the caller passes it
    /// to [`CaptureSink::accept_kept`] with the capture. No capture needs to be made of the others, which are only counted.
    fn decide(&self, ended: &EndedRequest<'_>) -> Option<Kept> {
        let _ = ended;
        Some(Kept::All)
    }

    /// Takes over the capture of a request that [`CaptureSink::decide`] keeps.
    fn accept_kept(&self, capture: Box<Capture>, kept: Kept) {
        let _ = kept;
        self.accept(capture);
    }
}
