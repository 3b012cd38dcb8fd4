//! A trace with its analysis.

use zerver_analysis::{Timeline, WaterfallRow, waterfall_rows};
use zerver_trace::Trace;

/// Maximum number of rows of a waterfall.
const MAX_ROWS: usize = 200_000;

/// A trace with its analysis.
#[derive(Debug)]
pub(crate) struct LoadedTrace {
    pub(crate) trace: Trace,
    pub(crate) timeline: Timeline,
    pub(crate) rows: Vec<WaterfallRow>,
}

impl LoadedTrace {
    pub(crate) fn new(trace: Trace) -> Self {
        let timeline = Timeline::of(&trace);
        let rows = waterfall_rows(&trace, &timeline, MAX_ROWS);
        Self { trace, timeline, rows }
    }
}
