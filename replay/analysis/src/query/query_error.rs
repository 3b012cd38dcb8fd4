//! Errors of queries.

use std::ops::Range;

/// Error for a query that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    pub(super) message: String,
    pub(super) at: Range<usize>,
}

impl QueryError {
    pub(super) fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), at }
    }

    /// Returns true if the query is right as far as it goes, such as `status:` while it is being typed.
    pub fn is_incomplete(&self, query: &str) -> bool {
        self.at.start >= query.trim_end().len()
    }

    /// Returns the part of the query that is wrong, in bytes. It is empty at the end if something is missing there.
    pub fn range(&self) -> Range<usize> {
        self.at.clone()
    }
}
