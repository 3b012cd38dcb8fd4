//! A trace: all events of one request, as read from the store.

use std::sync::Arc;

use bincode::{Decode, Encode};

use super::{Origin, Recorded, RecordedBody, RecordedBy, Redaction, SealedBy, Summary};
use crate::{Class, Event, FlowInfo, Header, Kept, Outcome, RequestId};

/// Everything that is known about one request.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Trace {
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
    /// Build that ran the request; see the runtime's `build_id`.
    pub build: String,
    /// Reason for keeping the trace.
    pub kept: Kept,
    /// Method of the request.
    pub method: String,
    /// Path without the query, for lists; masked if it contains a secret.
    pub path: String,
    /// Path and query.
    pub target: Recorded,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// Address and port of the client.
    pub peer: String,
    /// Headers of the request.
    pub request_headers: Vec<Header<Recorded>>,
    /// Body of the request.
    pub request_body: RecordedBody,
    /// Status of the response, or 0 if the client had left before there was one.
    pub status: u16,
    /// Headers of the response.
    pub response_headers: Vec<Header<Recorded>>,
    /// Body of the response.
    pub response_body: RecordedBody,
    /// Outcome of the request.
    pub outcome: Outcome,
    /// Events of the request, in order.
    pub events: Vec<Event<Recorded>>,
    /// Number of events left out because there were too many.
    pub events_dropped: u32,
    /// Worker of the connection, or `None` if unknown.
    pub worker: Option<u16>,
    /// Scheme and authority of the target.
    pub origin: Origin,
    /// Changes that the recorder made.
    pub redaction: Redaction,
    /// True if the client left before it had received the whole response.
    pub is_undelivered: bool,
    /// The part of zerver that recorded the request.
    pub recorded_by: RecordedBy,
    /// The key of its secrets.
    pub sealed_by: SealedBy,
}

impl Trace {
    /// Returns the part that a list shows.
    pub fn summary(&self) -> Summary {
        Summary {
            id: self.id,
            flow: self.flow.name.clone(),
            method: self.method.clone(),
            path: self.path.clone(),
            status: self.status,
            duration_ns: self.duration_ns,
            class: self.class,
            started_unix_ns: self.started_unix_ns,
            outcome: self.outcome.as_str().to_owned(),
            is_failed: self.outcome.is_failure() || self.status >= 500,
            worker: self.worker,
            authority: self.origin.visible().map_or_else(String::new, |(_, authority)| authority),
        }
    }

    /// Returns true if a step responded with a status of 2xx or 3xx.
    pub const fn has_succeeded(&self) -> bool {
        matches!(self.outcome, Outcome::Done) && matches!(self.status, 200..=399)
    }

    /// Returns true if zerver ran the steps of the request. Otherwise a layer or another tracer recorded it: queues, CPU times,
    /// slots and the seed are unknown, and the request cannot be replayed.
    pub fn has_steps(&self) -> bool {
        self.recorded_by == RecordedBy::Runtime && self.kept != Kept::Imported
    }

    /// Returns true if no event was left out.
    pub const fn is_complete(&self) -> bool {
        self.events_dropped == 0
    }
}
