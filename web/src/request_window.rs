//! The newest requests of the store, kept in memory so that lists need not read it again.

use std::sync::{Arc, Mutex, PoisonError};

use zerver_trace::{Cursor, SourceError, Summary, TraceSource};

/// Maximum number of requests kept. Older ones are found with `until:` in a query.
pub(crate) const MAX_REQUESTS: usize = 100_000;
/// Number of requests read at a time.
const PAGE: usize = 4096;

/// The newest requests of a source.
pub(crate) struct RequestWindow {
    source: Arc<dyn TraceSource>,
    state: Mutex<WindowState>,
}

#[derive(Default)]
struct WindowState {
    /// Position up to which requests were read; `None` before the first read.
    newest: Option<Cursor>,
    snapshot: Snapshot,
}

/// The requests as of a moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    /// Newest first.
    pub(crate) requests: Arc<Vec<Arc<Summary>>>,
    /// Number of requests that have been added so far.
    pub(crate) added: u64,
    /// True if the store may have older ones.
    pub(crate) has_older: bool,
}

impl RequestWindow {
    pub(crate) fn new(source: Arc<dyn TraceSource>) -> Self {
        Self { source, state: Mutex::default() }
    }

    /// Reads what has been recorded since the last time, and returns the requests.
    pub(crate) fn refresh(&self) -> Result<Snapshot, SourceError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(newest) = state.newest else {
            let newest = self.source.end()?;
            state.snapshot = self.read_before(newest)?;
            state.newest = Some(newest);
            return Ok(state.snapshot.clone());
        };
        let (mut added, mut cursor) = (Vec::new(), newest);
        loop {
            let (more, reached) = self.source.list_since(cursor, PAGE)?;
            let is_end = more.is_empty() || reached == cursor;
            // Another store has replaced this one: what is known of it is gone.
            if reached < cursor {
                state.snapshot.requests = Arc::default();
            }
            added.extend(more);
            cursor = reached;
            if is_end {
                break;
            }
        }
        state.newest = Some(cursor);
        if !added.is_empty() {
            let snapshot = &mut state.snapshot;
            snapshot.added += added.len() as u64;
            let known = snapshot.requests.iter().cloned();
            let all: Vec<_> = added.into_iter().rev().map(Arc::new).chain(known).collect();
            snapshot.has_older |= all.len() > MAX_REQUESTS;
            snapshot.requests = Arc::new(all.into_iter().take(MAX_REQUESTS).collect());
        }
        Ok(state.snapshot.clone())
    }

    fn read_before(&self, end: Cursor) -> Result<Snapshot, SourceError> {
        let (mut requests, mut before) = (Vec::new(), Some(end));
        while let Some(cursor) = before.filter(|_| requests.len() < MAX_REQUESTS) {
            let (page, rest) = self.source.list_before(cursor, PAGE)?;
            requests.extend(page.into_iter().map(Arc::new));
            before = rest;
        }
        Ok(Snapshot { requests: Arc::new(requests), added: 0, has_older: before.is_some() })
    }
}
