//! Summaries of traces, as lists show them.

use bincode::{Decode, Encode};

use crate::{Class, RequestId, is_client_error};

/// The part of a trace that a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Summary {
    /// Id of the request.
    pub id: RequestId,
    /// Slug of the flow; empty for a request that matched no flow.
    pub flow: String,
    /// Method of the request.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Status of the response, or 0 without a response.
    pub status: u16,
    /// Time from the arrival of the head to the response, in nanoseconds.
    pub duration_ns: u64,
    /// Priority class of the request.
    pub class: Class,
    /// Arrival of the complete request head, in nanoseconds since the Unix epoch.
    pub started_unix_ns: u64,
    /// The word for the outcome: [`crate::Outcome::as_str`].
    pub outcome: String,
    /// True if the request failed: a status of 500 or above, or an outcome other than done.
    pub is_failed: bool,
    /// Worker of the connection, or `None` if unknown.
    pub worker: Option<u16>,
    /// Authority of the target with secrets masked; empty if the target has none or it was not recorded.
    pub authority: String,
}

impl Summary {
    /// Returns true if the request failed and the client was not at fault: a failure without a status of 4xx.
    pub const fn is_error(&self) -> bool {
        self.is_failed && !is_client_error(self.status)
    }

    /// Returns true if a step responded with a status of 2xx or 3xx.
    pub fn has_succeeded(&self) -> bool {
        !self.is_failed && self.outcome == "done" && matches!(self.status, 200..=399)
    }
}
