//! The port through which traces are read.

use std::ops::ControlFlow;

use super::{Query, TraceView};
use crate::{RequestId, Summary, Trace};

/// Error of a source: a lower-case fragment that contains what failed, why, and what to do.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A position in a source. The numbers have meaning only to the source; later positions compare as greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Number of the group of traces.
    pub block: u64,
    /// Number of traces of that group already read.
    pub seen: u32,
}

/// A source of traces that several threads can read from.
pub trait TraceSource: Send + Sync {
    /// Returns the traces that match a query, newest first.
    ///
    /// # Errors
    /// If the source cannot be read.
    fn list(&self, query: &Query) -> Result<Vec<Summary>, SourceError>;

    /// Returns the trace with this id, or `None` if there is none.
    ///
    /// # Errors
    /// If the source cannot be read, or the trace is damaged.
    fn load(&self, id: RequestId) -> Result<Option<Trace>, SourceError>;

    /// Calls `f` with every trace that matches a query, newest first, until it breaks. A source may read values only when
    /// `f` asks for them, and then fails only there. By default, traces are loaded one by one, and those that cannot be
    /// read are skipped.
    ///
    /// # Errors
    /// If the source cannot be read.
    fn visit(
        &self,
        query: &Query,
        f: &mut dyn FnMut(&dyn TraceView) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        let ids: Vec<RequestId> = self.list(query)?.into_iter().map(|summary| summary.id).collect();
        self.visit_ids(&ids, f)
    }

    /// Like [`TraceSource::visit`], with the traces that have these ids, in any order. Missing traces are skipped.
    ///
    /// # Errors
    /// If the source cannot be read.
    fn visit_ids(
        &self,
        ids: &[RequestId],
        f: &mut dyn FnMut(&dyn TraceView) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        for id in ids {
            if let Ok(Some(trace)) = self.load(*id)
                && f(&trace).is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// Like [`TraceSource::visit_ids`], but may leave out traces that do not match a query.
    ///
    /// # Errors
    /// If the source cannot be read.
    fn visit_ids_matching(
        &self,
        ids: &[RequestId],
        query: &Query,
        f: &mut dyn FnMut(&dyn TraceView) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        let _ = query;
        self.visit_ids(ids, f)
    }

    /// Returns the names of the nodes that recorded the requests with these ids. Only a fleet has nodes.
    fn nodes(&self, ids: &[RequestId]) -> Vec<(RequestId, String)> {
        let _ = ids;
        Vec::new()
    }

    /// Returns the position after the newest trace.
    ///
    /// # Errors
    /// If the source cannot be read.
    fn end(&self) -> Result<Cursor, SourceError>;

    /// Returns about `limit` traces before a cursor, newest first, and the cursor before which to continue, or `None` at
    /// the beginning. `limit` may be exceeded slightly. A source may skip traces that it cannot read, and then reports
    /// it in [`TraceSource::damage`].
    ///
    /// # Errors
    /// If the source cannot be read.
    fn list_before(
        &self,
        cursor: Cursor,
        limit: usize,
    ) -> Result<(Vec<Summary>, Option<Cursor>), SourceError>;

    /// Returns about `limit` traces added since a cursor, oldest first, and the cursor from which to continue. `limit`
    /// may be exceeded slightly. Traces that were removed in the meantime are skipped.
    ///
    /// # Errors
    /// If the source cannot be read.
    fn list_since(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Summary>, Cursor), SourceError>;

    /// Returns why [`TraceSource::list_before`] and [`TraceSource::list_since`] skipped traces and what to do, or
    /// `None` if they skipped none.
    fn damage(&self) -> Option<String> {
        None
    }
}
