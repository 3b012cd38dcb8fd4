//! What a running request collects: values as shared pointers, described only if the trace is kept.

use std::any::Any;
use std::sync::Arc;

use serde::Serialize;

use crate::value::{Encoder, ValueError};
use crate::{Class, Event, FlowInfo, Kept, Message, Outcome, RequestId};

/// A value that can be recorded, later and on another thread.
pub trait Recordable: Any + Send + Sync {
    /// Writes it as a self-describing value.
    ///
    /// # Errors
    /// What the value's own `Serialize` reports, or that it is too deep or too large.
    fn encode(&self, out: &mut Encoder) -> Result<(), ValueError>;

    /// A short line for a person, where the bare value would not do: `GET example.com/a` for an HTTP effect. Values of
    /// one type that encode alike have the same line.
    fn summary(&self) -> Option<String> {
        None
    }
}

/// A shared value.
pub type SharedValue = Arc<dyn Recordable>;

/// Any serialisable value as [`Recordable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TypedValue<T>(pub T);

impl<T: Serialize + Any + Send + Sync> Recordable for TypedValue<T> {
    fn encode(&self, out: &mut Encoder) -> Result<(), ValueError> {
        out.put(&self.0)
    }
}

/// All that one request left behind, before it is decided whether to keep it.
pub struct Capture {
    /// Its id.
    pub id: RequestId,
    /// Its flow.
    pub flow: Arc<FlowInfo>,
    /// Its class.
    pub class: Class,
    /// When its head had arrived, in nanoseconds since the Unix epoch.
    pub started_unix_ns: u64,
    /// From then to the response, in nanoseconds.
    pub duration_ns: u64,
    /// What its steps took for randomness.
    pub seed: u64,
    /// The request.
    pub request: Arc<dyn Message>,
    /// The response, unless there was nobody to send it to.
    pub response: Option<Arc<dyn Message>>,
    /// The status of the response; 0 without one.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// What happened, in order.
    pub events: Vec<Event<SharedValue>>,
    /// How many events were left out because there were too many.
    pub events_dropped: u32,
    /// Whether the request asked to be recorded, and may.
    pub is_recording_requested: bool,
    /// The worker of its connection; none where that is not known.
    pub worker: Option<u16>,
    /// Whether the client had left before it had all of the response.
    pub is_undelivered: bool,
}

/// Where captures go. Must neither block nor fail.
pub trait CaptureSink: Send + Sync {
    /// Takes over what a finished request left behind.
    fn accept(&self, capture: Box<Capture>);

    /// Gives a capture back if it is to be kept, and why: for [`CaptureSink::keep`], once all of it is known. It need not
    /// have its response yet.
    fn judge(&self, capture: Box<Capture>) -> Option<(Box<Capture>, Kept)> {
        Some((capture, Kept::All))
    }

    /// Takes over one that was judged.
    fn keep(&self, capture: Box<Capture>, kept: Kept) {
        let _ = kept;
        self.accept(capture);
    }
}
