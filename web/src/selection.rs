//! Requests that a query selects.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use zerver_analysis::{QueryError, RequestQuery};
use zerver_trace::{Query, SourceError, Summary, Trace, TraceSource};

use crate::request_window::{MAX_REQUESTS, RequestWindow};
use crate::services::Services;

/// Maximum number of traces to read for one page. A query about slots, effects or bodies needs them.
const MAX_TRACES: usize = 20_000;

/// A query as it was typed, with its meaning or its mistake.
#[derive(Debug)]
pub(crate) struct TypedQuery {
    pub(crate) text: String,
    /// An empty query if the text is wrong.
    pub(crate) query: RequestQuery,
    pub(crate) error: Option<QueryError>,
}

impl TypedQuery {
    pub(crate) fn parse(text: &str, services: &dyn Services) -> Self {
        let text = text.trim().to_owned();
        match RequestQuery::parse(&text, &services.clock()) {
            Ok(query) => Self { text, query, error: None },
            Err(error) => Self { text, query: RequestQuery::default(), error: Some(error) },
        }
    }
}

/// Selected requests.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    /// Newest first.
    pub(crate) requests: Vec<Arc<Summary>>,
    /// Time before which requests started that were not looked at, if there are any.
    pub(crate) stopped_at_unix_ns: Option<u64>,
    /// Number of requests that could not be read.
    pub(crate) unreadable: usize,
}

/// Selects requests, up to `limit` of them. A wrong query selects nothing.
pub(crate) fn select(
    window: &RequestWindow,
    source: &dyn TraceSource,
    typed: &TypedQuery,
    limit: usize,
) -> Result<Selected, SourceError> {
    if typed.error.is_some() {
        return Ok(Selected::default());
    }
    let narrowed = typed.query.narrowed(&Query::default());
    if typed.query.needs_traces() {
        return select_by_traces(source, &narrowed, typed, limit);
    }
    let snapshot = window.refresh()?;
    let oldest = snapshot.requests.last().map(|request| request.started_unix_ns);
    let reaches_beyond = snapshot.has_older && narrowed.until_unix_ns.is_some_and(|ns| Some(ns) < oldest);
    let (candidates, has_older) = if reaches_beyond {
        let found = source.list(&Query { limit: Some(MAX_REQUESTS), ..narrowed })?;
        let is_full = found.len() >= MAX_REQUESTS;
        (Arc::new(found.into_iter().map(Arc::new).collect::<Vec<_>>()), is_full)
    } else {
        (snapshot.requests, snapshot.has_older)
    };
    let mut selected = Selected::default();
    for candidate in candidates.iter() {
        if selected.requests.len() >= limit {
            selected.stopped_at_unix_ns = Some(candidate.started_unix_ns.saturating_add(1));
            return Ok(selected);
        }
        if typed.query.matches_summary(&**candidate) == Some(true) {
            selected.requests.push(Arc::clone(candidate));
        }
    }
    if has_older {
        selected.stopped_at_unix_ns = candidates.last().map(|oldest| oldest.started_unix_ns);
    }
    Ok(selected)
}

/// Selects requests by what only their traces have. The source reads them block by block.
fn select_by_traces(
    source: &dyn TraceSource,
    narrowed: &Query,
    typed: &TypedQuery,
    limit: usize,
) -> Result<Selected, SourceError> {
    let mut selected = Selected::default();
    let mut seen = 0;
    source.visit(narrowed, &mut |request| {
        if selected.requests.len() >= limit || seen >= MAX_TRACES {
            selected.stopped_at_unix_ns = Some(request.summary().started_unix_ns.saturating_add(1));
            return ControlFlow::Break(());
        }
        seen += 1;
        match typed.query.matches_view(request) {
            Ok(true) => selected.requests.push(Arc::new(request.summary().into_owned())),
            Ok(false) => {}
            Err(_) => selected.unreadable += 1,
        }
        ControlFlow::Continue(())
    })?;
    Ok(selected)
}

/// Loads the traces of requests, in any order, except those that cannot be read.
pub(crate) fn traces<'r>(
    source: &dyn TraceSource,
    requests: impl Iterator<Item = &'r Summary>,
) -> Result<Vec<Trace>, SourceError> {
    let ids: Vec<_> = requests.map(|request| request.id).collect();
    let mut traces = Vec::with_capacity(ids.len());
    source.visit_ids(&ids, &mut |request| {
        traces.extend(request.trace().ok().map(Cow::into_owned));
        ControlFlow::Continue(())
    })?;
    Ok(traces)
}
