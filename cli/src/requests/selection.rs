//! Finds the requests that a query selects.

use zerver_analysis::RequestQuery;
use zerver_recorder::Reader;
use zerver_trace::{Query, Summary};

use crate::error::CommandError;
use crate::locate;
use crate::output::Output;

/// Number of traces between two reports of progress.
const PROGRESS_INTERVAL: usize = 256;

/// Returns the newest requests, up to the limit of `stored`, that both queries select, newest first. Traces are read
/// only where a summary cannot answer.
pub(crate) fn select(
    reader: &Reader,
    stored: Query,
    query: &RequestQuery,
    output: &mut Output,
) -> Result<Vec<Summary>, CommandError> {
    let limit = stored.limit.unwrap_or(usize::MAX);
    let asked = query.narrowed(&stored);
    let candidates = reader.list(&asked).map_err(|error| locate::unreadable_store(reader.dir(), &error))?;
    if query.is_empty() {
        return Ok(candidates);
    }
    let (mut selected, mut read, mut unreadable) = (Vec::new(), 0, 0_u64);
    for candidate in candidates {
        let is_selected = match query.matches_summary(&candidate) {
            Some(is_selected) => is_selected,
            None => {
                read += 1;
                if read % PROGRESS_INTERVAL == 0 {
                    output.progress(&format!("reading requests: {read}"));
                }
                match reader.load(candidate.id) {
                    Ok(Some(trace)) => query.matches(&trace),
                    // Removed in the meantime.
                    Ok(None) => false,
                    Err(_) => {
                        unreadable += 1;
                        false
                    }
                }
            }
        };
        if is_selected {
            selected.push(candidate);
            if selected.len() >= limit {
                break;
            }
        }
    }
    output.clear_progress();
    if unreadable > 0 {
        output.warn(&format!("{unreadable} unreadable requests left out; zerver doctor shows more"));
    }
    Ok(selected)
}
