//! Query strings of the visible requests, and the nodes that recorded them. Summaries contain neither, so they are read
//! after the rows are shown.

use std::collections::HashMap;

use zerver_trace::RequestId;
use zerver_trace::text::clean;

use super::state::RequestsScreen;
use crate::draw::width;
use crate::message::Command;
use crate::state::SharedState;

/// Maximum number of query strings kept, and of nodes.
const MAX_QUERIES: usize = 2_000;

/// Query strings and nodes by request.
#[derive(Debug, Default)]
pub(super) struct QueryStrings {
    known: HashMap<RequestId, String>,
    nodes: HashMap<RequestId, String>,
    /// True while a [`Command::ReadQueries`] is pending.
    is_reading: bool,
}

impl QueryStrings {
    /// Returns the query of a request with its question mark; empty if it has none or is not known yet.
    pub(super) fn get(&self, id: RequestId) -> &str {
        self.known.get(&id).map_or("", String::as_str)
    }

    /// Returns the name of the node that recorded a request, if it is known.
    pub(super) fn node(&self, id: RequestId) -> Option<&str> {
        self.nodes.get(&id).map(String::as_str)
    }

    /// Returns the width of the longest known name of a node, or 0 if none is known.
    pub(super) fn node_width(&self) -> usize {
        self.nodes.values().map(|name| width(&clean(name))).max().unwrap_or(0)
    }

    pub(super) fn add_nodes(&mut self, nodes: &[(RequestId, String)]) {
        if self.nodes.len() + nodes.len() > MAX_QUERIES {
            self.nodes.clear();
        }
        self.nodes.extend(nodes.iter().cloned());
    }

    /// Adds what was read. Requests that are gone have no query.
    pub(super) fn add(&mut self, queries: &[(RequestId, String)]) {
        self.is_reading = false;
        if self.known.len() + queries.len() > MAX_QUERIES {
            self.known.clear();
        }
        self.known.extend(queries.iter().cloned());
    }
}

impl RequestsScreen {
    /// Requests the query strings of the visible rows that are not known.
    pub(super) fn read_queries(&mut self, shared: &SharedState) -> Option<Command> {
        if self.queries.is_reading {
            return None;
        }
        let first = self.scroll(shared).first;
        let rows = (first..first + self.height(shared))
            .map_while(|position| shared.index.row(self.list.nth(position, &shared.index)?));
        let unknown: Vec<RequestId> =
            rows.map(|row| row.id).filter(|id| !self.queries.known.contains_key(id)).collect();
        self.queries.is_reading = !unknown.is_empty();
        self.queries.is_reading.then_some(Command::ReadQueries(unknown))
    }
}
