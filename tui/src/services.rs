//! What this crate needs from outside, beside the traces.

use std::sync::Arc;

use zerver_analysis::{Baseline, Timeline};
use zerver_replay::{Edits, ReplayError, Report};
use zerver_trace::{FlowInfo, Query, Trace, TraceSource};

use crate::scheduler::Health;

/// What is usual for a flow is told from at most so many requests, the newest.
const POPULATION: usize = 500;

/// What is done for the screens. What takes time is called on threads of their own.
pub trait Services: Send + Sync {
    /// Where the traces are.
    fn source(&self) -> Arc<dyn TraceSource>;

    /// The text of a source file, as the compiler saw it; none if it is not to be found.
    fn source_text(&self, file: &str) -> Option<String>;

    /// Opens an editor on a line (from 1) of a file, as the compiler saw it, and comes back when it has ended. The terminal
    /// is the editor's meanwhile.
    ///
    /// # Errors
    /// Why that could not be done, in a line for a person.
    fn edit(&self, file: &str, line: u32) -> Result<(), String>;

    /// Runs a request again with today's code, which may have to be built first.
    ///
    /// # Errors
    /// When that cannot be: what failed, why, and what to do about it.
    fn replay(&self, trace: Trace, edits: Edits) -> Result<Replayed, ReplayError>;

    /// The flows there are.
    ///
    /// # Errors
    /// When nobody can tell.
    fn flows(&self) -> Result<Vec<FlowInfo>, String>;

    /// Asks a service that runs how it is.
    ///
    /// # Errors
    /// When it does not say, or is not there: why, in a line for a person.
    fn health(&self, addr: &str) -> Result<Health, String>;

    /// Has a person edit a text in an editor, which has the terminal meanwhile; gives the text as it is then.
    ///
    /// # Errors
    /// When there is no editor, or it fails.
    fn edit_text(&self, text: &str) -> Result<String, String>;

    /// Puts a text onto the clipboard, or as near to it as can be.
    fn copy(&self, text: &str) -> Copied;
}

/// What became of a text that was to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copied {
    /// It is known to be in this place.
    Into(String),
    /// This asks the terminal to take it, which does not say whether it does.
    Ask {
        /// The escape sequence.
        sequence: String,
        /// A file that holds the text in any case; none if none could be written.
        file: Option<String>,
    },
    /// It is nowhere but in this file, and why.
    Only {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// It is nowhere: why, in a line for a person.
    Nowhere(String),
}

/// A request that was run again.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// What came of it.
    pub report: Report,
    /// The build that ran it.
    pub build: String,
}

/// What is usual for a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The times.
    pub usual: Baseline,
    /// How many requests could not be read.
    pub unreadable: usize,
}

/// Loads a request and runs it again.
pub(crate) fn replay(
    services: &dyn Services,
    id: zerver_trace::RequestId,
    edits: Edits,
) -> Result<Arc<Replayed>, ReplayError> {
    let what = || format!("request {} cannot be replayed", id.short(12));
    match services.source().load(id) {
        Ok(Some(trace)) => services.replay(trace, edits).map(Arc::new),
        Ok(None) => Err(ReplayError {
            message: what(),
            causes: vec!["it is not in the store any more".to_owned()],
            ..ReplayError::default()
        }),
        Err(error) => {
            Err(ReplayError { message: what(), causes: vec![error.to_string()], ..ReplayError::default() })
        }
    }
}

/// Reads the newest requests of a flow, and tells what is usual for it.
pub(crate) fn measure(services: &dyn Services, flow: &str) -> Result<Arc<Measured>, String> {
    let source = services.source();
    let query = Query { flow: Some(flow.to_owned()), limit: Some(POPULATION), ..Query::default() };
    let requests = source.list(&query).map_err(|error| error.to_string())?;
    let (mut timelines, mut unreadable) = (Vec::new(), 0);
    for request in requests {
        match source.load(request.id) {
            Ok(Some(trace)) => timelines.push(Timeline::of(&trace)),
            // Dropped since, which is no trouble.
            Ok(None) => {}
            Err(_) => unreadable += 1,
        }
    }
    Ok(Arc::new(Measured { usual: Baseline::of(&timelines), unreadable }))
}
