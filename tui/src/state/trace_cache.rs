//! Cache of loaded traces.

use std::sync::Arc;

use zerver_analysis::{QueueHolders, Timeline};
use zerver_trace::{RequestId, Trace, TraceSource};

/// Maximum number of traces kept in memory.
const MAX_TRACES: usize = 16;

/// A trace with its analysis.
#[derive(Debug)]
pub struct LoadedTrace {
    /// The trace.
    pub trace: Trace,
    /// Timeline of the trace.
    pub timeline: Timeline,
    /// Largest part of the duration, as text; `None` if no step ran.
    pub(crate) largest: Option<String>,
    /// Holders of its threads while it was queued; `None` if it hardly was, or if that is not known.
    pub(crate) queue: Option<QueueHolders>,
    /// Name of the node that recorded it, in a fleet.
    pub(crate) node: Option<String>,
}

impl LoadedTrace {
    /// Analyzes a trace.
    pub fn new(trace: Trace) -> Self {
        let timeline = Timeline::of(&trace);
        let verdict = timeline.verdict(&[]).filter(|_| !timeline.runs.is_empty());
        let largest =
            verdict.map(|verdict| format!("{}% {}", verdict.largest.percent, verdict.largest.label));
        Self { timeline, trace, largest, queue: None, node: None }
    }

    /// Analyzes a trace among the other requests of its source.
    pub fn among(trace: Trace, source: &dyn TraceSource) -> Self {
        let loaded = Self::new(trace);
        // An unreadable part of the source must not hide the request.
        let queue = QueueHolders::read(&loaded.trace, &loaded.timeline, source).ok().flatten();
        let node = source.nodes(&[loaded.trace.id]).pop().map(|(_, node)| node);
        Self { queue, node, ..loaded }
    }
}

/// Recently used traces, latest last.
#[derive(Debug, Default)]
pub(crate) struct TraceCache {
    loaded: Vec<(RequestId, LoadResult)>,
    /// Traces being loaded.
    pending: Vec<RequestId>,
}

/// Result of loading a trace: `None` if it is gone.
pub(crate) type LoadResult = Result<Option<Arc<LoadedTrace>>, String>;

impl TraceCache {
    /// Records that a trace is being loaded. Returns false if it already is.
    pub(crate) fn begin_load(&mut self, id: RequestId) -> bool {
        let is_new = !self.pending.contains(&id);
        if is_new {
            self.pending.push(id);
        }
        is_new
    }

    /// Returns the number of traces being loaded.
    pub(crate) fn pending_len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn insert(&mut self, id: RequestId, loaded: LoadResult) {
        self.pending.retain(|other| *other != id);
        self.loaded.retain(|(other, _)| *other != id);
        if self.loaded.len() >= MAX_TRACES {
            drop(self.loaded.remove(0));
        }
        self.loaded.push((id, loaded));
    }

    /// Returns a trace if it is loaded.
    pub(crate) fn loaded(&self, id: RequestId) -> Option<&Arc<LoadedTrace>> {
        self.get(id)?.as_ref().ok()?.as_ref()
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<&LoadResult> {
        self.loaded.iter().find(|(other, _)| *other == id).map(|(_, loaded)| loaded)
    }
}
