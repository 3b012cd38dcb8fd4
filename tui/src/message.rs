//! Input and output of `update`: messages in, commands out.

use std::sync::Arc;

use crossterm::event::Event;
use zerver_analysis::{RequestQuery, Why};
use zerver_replay::{Edits, ReplayError, ValuePath, ValueSlice};
use zerver_trace::{CatalogFlow, RequestId, Summary};

use crate::services::{CopyOutcome, FlowMeasurement, ReplayResult};
use crate::state::SchedulerStatus;
use crate::state::ServiceEvent;
use crate::state::{LoadedTrace, Notice};

/// Everything that can happen.
#[derive(Debug, Clone)]
pub enum Message {
    /// A key, a mouse event, pasted text or a resize.
    Input(Event),
    /// Current time, in nanoseconds since the Unix epoch.
    Tick(u64),
    /// Requests older than all received so far, the newest first.
    OlderRequests {
        /// Summaries of the requests.
        requests: Vec<Summary>,
        /// True if there are no older ones.
        is_last: bool,
    },
    /// New requests, the oldest first.
    NewRequests(Vec<Summary>),
    /// Result of [`Command::LoadTrace`]: `None` if the trace is gone, or the reason why it cannot be read.
    Loaded(RequestId, Result<Option<Arc<LoadedTrace>>, String>),
    /// Result of [`Command::Explain`].
    Explained(RequestId, Result<Arc<Why>, String>),
    /// Partial result of [`Command::Scan`].
    Scanned {
        /// Search that this belongs to.
        generation: u64,
        /// Number of requests scanned.
        scanned: usize,
        /// Numbers of the requests that match.
        found: Vec<i32>,
    },
    /// Result of [`Command::ReadQueries`]: a query string, with its question mark, for each request.
    Queries(Vec<(RequestId, String)>),
    /// Names of the nodes that recorded requests, in a fleet. Comes before [`Message::Queries`].
    Nodes(Vec<(RequestId, String)>),
    /// Result of [`Command::ReadSource`]: file and text, or `None` if the file was not found.
    SourceText(String, Option<String>),
    /// Event of the service that `zerver dev` runs.
    Service(ServiceEvent),
    /// Address of a running service whose scheduler can be queried. [`Message::Service`] implies it, too.
    ServiceAddress(String),
    /// Result of [`Command::FetchStatus`], with the address queried.
    Status(String, Result<SchedulerStatus, String>),
    /// Result of [`Command::Replay`], with its number.
    Replayed(u64, Result<Arc<ReplayResult>, ReplayError>),
    /// Result of [`Command::FindSources`], with its number.
    SourcesFound(u64, Result<Arc<ValueSlice>, ReplayError>),
    /// Partial result of [`Command::CheckReplays`]: number of the check, request, and true if the new code changes the
    /// outcome, or `None` if the request cannot be replayed.
    ReplayChecked(u64, RequestId, Option<bool>),
    /// Result of [`Command::EditText`].
    Edited(Result<String, String>),
    /// Result of [`Command::Copy`].
    Copied {
        /// Where the text ended up.
        outcome: CopyOutcome,
        /// Description of the text for the user.
        description: String,
    },
    /// Result of [`Command::ListFlows`].
    Flows(Result<Vec<CatalogFlow>, String>),
    /// Result of [`Command::MeasureFlow`], with the name of the flow.
    Measured(String, Result<Arc<FlowMeasurement>, String>),
    /// Response to [`Command::Continue`].
    Continue,
    /// Notice for the user.
    Notice(Notice),
    /// Request to suspend (SIGTSTP).
    Suspend,
    /// Request to end at once, after a signal or when the terminal is gone.
    Exit,
}

/// Work that `update` requests.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Load a trace; returns [`Message::Loaded`].
    LoadTrace(RequestId),
    /// Compare a request with others of its flow; returns [`Message::Explained`].
    Explain(RequestId),
    /// Test the traces of requests; returns [`Message::Scanned`] several times. Ends an older search.
    Scan {
        /// Number of the search.
        generation: u64,
        /// Requests to test, with their numbers.
        requests: Vec<(i32, RequestId)>,
        /// Query that they must match.
        query: Arc<RequestQuery>,
    },
    /// Read the query strings of requests, and their nodes; returns [`Message::Queries`] and, in a fleet, [`Message::Nodes`].
    ReadQueries(Vec<RequestId>),
    /// Replay a request; returns [`Message::Replayed`].
    Replay {
        /// Number of the replay.
        number: u64,
        /// Request to replay.
        id: RequestId,
        /// Edits to apply.
        edits: Edits,
    },
    /// Find where a value of a request came from, and show it; returns [`Message::SourcesFound`].
    FindSources {
        /// Number of the search.
        number: u64,
        /// Request with the value.
        id: RequestId,
        /// The value.
        value: ValuePath,
    },
    /// Replay requests with new code, one after another; returns [`Message::ReplayChecked`] for each. Ends an older
    /// check.
    CheckReplays {
        /// Number of the check.
        number: u64,
        /// Requests to replay.
        ids: Vec<RequestId>,
    },
    /// Open a text in an editor; returns [`Message::Edited`].
    EditText(String),
    /// Query the scheduler of the service at this address; returns [`Message::Status`].
    FetchStatus(String),
    /// List the flows; returns [`Message::Flows`].
    ListFlows,
    /// Compute the typical times of a flow; returns [`Message::Measured`].
    MeasureFlow(String),
    /// Read a source file by the path recorded at compile time; returns [`Message::SourceText`].
    ReadSource(String),
    /// Copy a text to the clipboard; returns [`Message::Copied`].
    Copy {
        /// Text to copy.
        text: String,
        /// Description of the text for the user.
        description: String,
    },
    /// Write this escape sequence to the terminal.
    WriteTerminal(String),
    /// Open an editor at a line of a file, and wait until it ends.
    OpenEditor {
        /// Path recorded at compile time.
        file: String,
        /// Line, from 1.
        line: u32,
    },
    /// Send [`Message::Continue`] after all pending messages: the rest of a long operation follows in another turn, so
    /// that keys never wait.
    Continue,
    /// Restore the terminal and stop until SIGCONT.
    Suspend,
    /// Draw everything again.
    Redraw,
    /// End the UI.
    Quit,
    /// Show another screen or request; handled by `update` itself.
    Navigate(Navigation),
}

impl Command {
    /// Copies an id to the clipboard.
    pub(crate) fn copy_id(id: RequestId) -> Self {
        Self::Copy { text: id.to_string(), description: format!("id {id}") }
    }
}

/// Destination inside the UI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Navigation {
    /// The request list.
    Requests,
    /// The requests of a flow, and terms of a query that select some of them.
    RequestsOfFlow {
        /// Number of the flow in the index.
        flow: u16,
        /// Terms, each after a space.
        terms: &'static str,
    },
    /// A request.
    Timeline(RequestId),
    /// The previous or next request of the list, relative to the open one.
    Neighbor {
        /// True for the request below.
        is_below: bool,
    },
    /// A request, at the step with this index in its flow.
    Step(RequestId, u16),
    /// A comparison of two requests.
    Diff(RequestId, RequestId),
    /// A replay of a request.
    Replay(RequestId),
    /// The previous screen.
    Back,
}

/// First screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StartScreen {
    /// The request list.
    #[default]
    Requests,
    /// A request.
    Timeline(RequestId),
    /// A comparison of two requests.
    Diff(RequestId, RequestId),
}
