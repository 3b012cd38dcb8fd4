//! Finds the requests that a query selects.

use std::ops::ControlFlow;

use zerver_analysis::RequestQuery;
use zerver_recorder::{BlockTrace, Reader};
use zerver_trace::{Query, Summary, TraceView};

use crate::error::CommandError;
use crate::locate;
use crate::output::Output;

/// Number of traces between two reports of progress.
const PROGRESS_INTERVAL: usize = 1024;

/// Returns the newest requests, up to the limit of `stored`, that both queries select, newest first. Traces are read
/// only where a summary cannot answer.
pub(crate) fn select(
    reader: &Reader,
    stored: Query,
    query: &RequestQuery,
    output: &mut Output,
) -> Result<Vec<Summary>, CommandError> {
    select_where(reader, stored, query, output, None)
}

/// A test in addition to a query.
pub(crate) type Condition<'c> = &'c dyn Fn(&BlockTrace<'_>) -> bool;

/// Like [`select`], with the requests that meet a condition.
pub(crate) fn select_where(
    reader: &Reader,
    stored: Query,
    query: &RequestQuery,
    output: &mut Output,
    condition: Option<Condition<'_>>,
) -> Result<Vec<Summary>, CommandError> {
    let mut selected = Vec::new();
    visit_where(reader, stored, query, output, condition, |request| {
        selected.push(request.summary().into_owned());
    })?;
    Ok(selected)
}

/// Calls `f` with the newest requests, up to the limit of `stored`, that both queries select, newest first. Traces are
/// read only where a summary cannot answer, and where `f` asks for them.
pub(crate) fn visit(
    reader: &Reader,
    stored: Query,
    query: &RequestQuery,
    output: &mut Output,
    f: impl FnMut(&BlockTrace<'_>),
) -> Result<(), CommandError> {
    visit_where(reader, stored, query, output, None, f)
}

fn visit_where(
    reader: &Reader,
    stored: Query,
    query: &RequestQuery,
    output: &mut Output,
    condition: Option<Condition<'_>>,
    mut f: impl FnMut(&BlockTrace<'_>),
) -> Result<(), CommandError> {
    let limit = stored.limit.unwrap_or(usize::MAX);
    if limit == 0 {
        return Ok(());
    }
    let narrowed = query.narrowed(&stored);
    let asked = Query { limit: narrowed.limit.filter(|_| condition.is_none()), ..narrowed };
    let needs_traces = query.needs_traces();
    let (mut selected, mut seen, mut unreadable) = (0, 0_usize, 0_u64);
    let visited = reader.visit(&asked, |request| {
        seen += 1;
        if needs_traces && seen.is_multiple_of(PROGRESS_INTERVAL) {
            output.progress(&format!("reading requests: {seen}"));
        }
        if condition.is_some_and(|condition| !condition(request)) {
            return ControlFlow::Continue(());
        }
        match query.matches_view(request) {
            Ok(true) => {
                f(request);
                selected += 1;
            }
            Ok(false) => {}
            Err(_) => unreadable += 1,
        }
        if selected < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    output.clear_progress();
    visited.map_err(|error| locate::unreadable_store(&reader.place(), &error))?;
    if unreadable > 0 {
        output.warn(&format!("{unreadable} unreadable requests left out; zerver doctor shows more"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
