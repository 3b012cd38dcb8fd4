//! Services that the pages need from their caller, in addition to traces.

use std::sync::Arc;

use zerver_analysis::QueryClock;
use zerver_replay::{Edits, ReplayError, Report, ServiceMetrics, ValuePath, ValueSlice};
use zerver_trace::{CatalogFlow, Trace, TraceSource};

/// Services for the pages. They are called on threads on which they may block.
pub trait Services: Send + Sync {
    /// Returns the source of the traces.
    fn trace_source(&self) -> Arc<dyn TraceSource>;

    /// Replays a request with the current code, which is built if necessary.
    ///
    /// # Errors
    /// The reason, its causes and hints for the user.
    fn replay(&self, trace: Trace, edits: Edits) -> Result<ReplayOutcome, ReplayError>;

    /// Finds the sources of a value of a request with the current code, which is built if necessary.
    ///
    /// # Errors
    /// The reason, its causes and hints for the user.
    fn value_sources(&self, trace: Trace, value: ValuePath) -> Result<ValueSlice, ReplayError>;

    /// Lists the flows, with what their definitions say.
    ///
    /// # Errors
    /// The reason for the user, on one line.
    fn catalog(&self) -> Result<Vec<CatalogFlow>, String>;

    /// Fetches the metrics of the running service, or returns `None` if none is known.
    ///
    /// # Errors
    /// The reason for the user, on one line.
    fn metrics(&self) -> Option<Result<ServiceMetrics, String>>;

    /// Returns the present, in the time zone of the user.
    fn clock(&self) -> QueryClock;
}

/// Result of a replay.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayOutcome {
    /// Comparison with the recording.
    pub report: Report,
    /// Build that ran it.
    pub build: String,
}
