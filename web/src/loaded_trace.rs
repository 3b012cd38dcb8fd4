//! A trace with its analysis.

use zerver_analysis::{QueueHolders, Timeline, WaterfallRow, waterfall_rows};
use zerver_trace::{Trace, TraceSource};

/// Maximum number of rows of a waterfall.
const MAX_ROWS: usize = 200_000;

/// A trace with its analysis.
#[derive(Debug)]
pub(crate) struct LoadedTrace {
    pub(crate) trace: Trace,
    pub(crate) timeline: Timeline,
    pub(crate) rows: Vec<WaterfallRow>,
    /// Steps that held its thread while it was queued, if they can be found.
    pub(crate) queue: Option<QueueHolders>,
    /// Name of the node that recorded it, in a fleet.
    pub(crate) node: Option<String>,
}

impl LoadedTrace {
    pub(crate) fn new(trace: Trace) -> Self {
        let timeline = Timeline::of(&trace);
        let rows = waterfall_rows(&trace, &timeline, MAX_ROWS);
        Self { trace, timeline, rows, queue: None, node: None }
    }

    /// Finds what held its thread, in the other requests of its source, and the node that recorded it.
    pub(crate) fn among(mut self, source: &dyn TraceSource) -> Self {
        self.queue = QueueHolders::read(&self.trace, &self.timeline, source).ok().flatten();
        self.node = source.nodes(&[self.trace.id]).pop().map(|(_, node)| node);
        self
    }
}
