//! What this crate needs from outside, beside the traces.

use std::sync::Arc;

use zerver_analysis::Usual;
use zerver_replay::{Edits, Refusal, Report};
use zerver_trace::{FlowInfo, Trace, TraceSource};

use crate::state::SchedulerStatus;

/// What is done for the screens. What takes time is called on threads of their own.
pub trait Services: Send + Sync {
    /// Where the traces are.
    fn trace_source(&self) -> Arc<dyn TraceSource>;

    /// The text of a source file, as the compiler saw it; none if it is not to be found.
    fn source_text(&self, file: &str) -> Option<String>;

    /// Opens an editor on a line (from 1) of a file, as the compiler saw it, and comes back when it has ended. The terminal
    /// is the editor's meanwhile.
    ///
    /// # Errors
    /// Why that could not be done, in a line for a person.
    fn open_editor(&self, file: &str, line: u32) -> Result<(), String>;

    /// Runs a request again with today's code, which may have to be built first.
    ///
    /// # Errors
    /// When that cannot be: what failed, why, and what to do about it.
    fn replay(&self, trace: Trace, edits: Edits) -> Result<ReplayResult, Refusal>;

    /// The flows there are.
    ///
    /// # Errors
    /// When nobody can tell.
    fn flows(&self) -> Result<Vec<FlowInfo>, String>;

    /// Asks a service that runs how it is.
    ///
    /// # Errors
    /// When it does not say, or is not there: why, in a line for a person.
    fn scheduler_status(&self, addr: &str) -> Result<SchedulerStatus, String>;

    /// Has a person edit a text in an editor, which has the terminal meanwhile; gives the text as it is then.
    ///
    /// # Errors
    /// When there is no editor, or it fails.
    fn edit_text(&self, text: &str) -> Result<String, String>;

    /// Puts a text onto the clipboard, or as near to it as can be.
    fn copy_text(&self, text: &str) -> CopyOutcome;
}

/// What became of a text that was to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyOutcome {
    /// It is known to be in this place.
    Copied(String),
    /// This asks the terminal to take it, which does not say whether it does.
    TerminalRequest {
        /// The escape sequence.
        sequence: String,
        /// A file that holds the text in any case; none if none could be written.
        file: Option<String>,
    },
    /// It is nowhere but in this file, and why.
    FileOnly {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// It is nowhere: why, in a line for a person.
    Failed(String),
}

/// A request that was run again.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayResult {
    /// What came of it.
    pub report: Report,
    /// The build that ran it.
    pub build: String,
}

/// What is usual for a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowMeasurement {
    /// The times.
    pub usual: Usual,
    /// How many requests could not be read.
    pub unreadable: usize,
}
