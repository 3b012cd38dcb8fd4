//! Services that the UI needs from its caller, in addition to traces.

use std::sync::Arc;

use zerver_analysis::Baseline;
use zerver_replay::{Edits, ReplayError, Report, ValuePath, ValueSlice};
use zerver_trace::{CatalogFlow, Trace, TraceSource};

use crate::state::SchedulerStatus;

/// Services for the screens. Slow ones are called on threads of their own.
pub trait Services: Send + Sync {
    /// Returns the source of the traces.
    fn trace_source(&self) -> Arc<dyn TraceSource>;

    /// Returns the text of a source file, given its path at compile time, or `None` if it is not found.
    fn source_text(&self, file: &str) -> Option<String>;

    /// Opens an editor at a line (from 1) of a file, given its path at compile time, and waits until it ends. The
    /// terminal is available to the editor.
    ///
    /// # Errors
    /// The reason for the user, on one line.
    fn open_editor(&self, file: &str, line: u32) -> Result<(), String>;

    /// Replays a request with the current code, which is built if necessary.
    ///
    /// # Errors
    /// The reason, its causes and hints for the user.
    fn replay(&self, trace: Trace, edits: Edits) -> Result<ReplayResult, ReplayError>;

    /// Finds the sources of a value of a request by runs of the current code, which is built if necessary.
    ///
    /// # Errors
    /// The reason, its causes and hints for the user.
    fn value_sources(&self, trace: Trace, value: ValuePath) -> Result<ValueSlice, ReplayError>;

    /// Lists the flows, with what their definitions say.
    ///
    /// # Errors
    /// The reason for the user, on one line.
    fn flows(&self) -> Result<Vec<CatalogFlow>, String>;

    /// Queries the scheduler of a running service.
    ///
    /// # Errors
    /// The reason for the user, on one line.
    fn scheduler_status(&self, addr: &str) -> Result<SchedulerStatus, String>;

    /// Lets the user edit a text in an editor, and returns the result. The terminal is available to the editor.
    ///
    /// # Errors
    /// The reason for the user, on one line.
    fn edit_text(&self, text: &str) -> Result<String, String>;

    /// Copies a text to the clipboard, or to the best substitute.
    fn copy_text(&self, text: &str) -> CopyOutcome;
}

/// Outcome of copying a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyOutcome {
    /// Copied to the place with this name.
    Copied(String),
    /// An escape sequence asks the terminal to copy the text. The terminal does not confirm it.
    TerminalRequest {
        /// Escape sequence to write.
        sequence: String,
        /// File that holds the text as well, if it could be written.
        file: Option<String>,
    },
    /// Only written to a file.
    FileOnly {
        /// Path of the file.
        file: String,
        /// Reason why the text was not copied.
        why: String,
    },
    /// Not copied, for this reason.
    Failed(String),
}

/// Result of a replay.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayResult {
    /// Comparison with the recording.
    pub report: Report,
    /// Build that ran it.
    pub build: String,
}

/// Typical times of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowMeasurement {
    /// Times.
    pub times: Baseline,
    /// Number of requests that could not be read.
    pub unreadable: usize,
}
