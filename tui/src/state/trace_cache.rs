//! The traces that were looked at last.

use std::sync::Arc;

use zerver_analysis::Timeline;
use zerver_trace::{RequestId, Trace};

/// So many traces are kept in memory.
const MAX_TRACES: usize = 16;

/// A trace with its timeline.
#[derive(Debug)]
pub struct LoadedTrace {
    /// The trace.
    pub trace: Trace,
    /// Where its time went.
    pub timeline: Timeline,
    /// What took the most of it, in words; none where no step ran.
    pub(crate) largest: Option<String>,
}

impl LoadedTrace {
    /// A trace with its timeline.
    pub fn new(trace: Trace) -> Self {
        let timeline = Timeline::of(&trace);
        let verdict = timeline.verdict(&[]).filter(|_| !timeline.runs.is_empty());
        let largest =
            verdict.map(|verdict| format!("{}% {}", verdict.largest.percent, verdict.largest.label));
        Self { timeline, trace, largest }
    }
}

/// The traces that were looked at last, the latest at the end.
#[derive(Debug, Default)]
pub(crate) struct TraceCache {
    loaded: Vec<(RequestId, LoadResult)>,
    /// Those that are on their way.
    pending: Vec<RequestId>,
}

/// What came of loading a trace; none if it is not there.
pub(crate) type LoadResult = Result<Option<Arc<LoadedTrace>>, String>;

impl TraceCache {
    /// Notes that a trace is asked for. Says whether it is to be: not if it is on its way.
    pub(crate) fn begin_load(&mut self, id: RequestId) -> bool {
        let is_new = !self.pending.contains(&id);
        if is_new {
            self.pending.push(id);
        }
        is_new
    }

    /// How many are on their way.
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

    /// The trace with this id, if it has come.
    pub(crate) fn loaded(&self, id: RequestId) -> Option<&Arc<LoadedTrace>> {
        self.get(id)?.as_ref().ok()?.as_ref()
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<&LoadResult> {
        self.loaded.iter().find(|(other, _)| *other == id).map(|(_, loaded)| loaded)
    }
}
