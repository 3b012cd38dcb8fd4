//! What comes in, and what is asked for: the two closed enums at the border of `update`.

use std::sync::Arc;

use crossterm::event::Event;
use zerver_analysis::Why;
use zerver_replay::{Edits, ReplayError};
use zerver_trace::{FlowInfo, RequestId, Summary};

use crate::dev::Dev;
use crate::scheduler::Health;
use crate::screen::requests::SlotTerm;
use crate::services::{Copied, Measured, Replayed};
use crate::shared::Story;

/// All that can happen.
#[derive(Debug, Clone)]
pub enum Message {
    /// A key, the mouse, a resize.
    Input(Event),
    /// What time it is, in nanoseconds since the Unix epoch.
    Now(u64),
    /// Requests that are older than all that came so far, the newest of them first; `is_last` if no older ones are there.
    Older {
        /// The requests.
        requests: Vec<Summary>,
        /// Whether this is the end.
        is_last: bool,
    },
    /// New requests, the oldest first.
    Newer(Vec<Summary>),
    /// A trace that was asked for; none if it is not there any more, or why it cannot be read.
    Loaded(RequestId, Result<Option<Arc<Story>>, String>),
    /// Where a request stands in its flow, or why that cannot be told.
    Explained(RequestId, Result<Arc<Why>, String>),
    /// Requests whose slots were looked at, and which of them fit.
    Scanned {
        /// Of which search.
        generation: u64,
        /// How many were looked at.
        looked: usize,
        /// The numbers of those that fit.
        found: Vec<i32>,
    },
    /// The text of a source file that was asked for; none if it is not to be found.
    Source(String, Option<String>),
    /// What the service does that is developed here.
    Dev(Dev),
    /// A service runs at this address, and can be asked how it is. [`Message::Dev`] says it too.
    Serves(String),
    /// How the service at this address is, or why it does not say.
    Health(String, Result<Health, String>),
    /// What came of the replay with this number, or why there is none.
    Replayed(u64, Result<Arc<Replayed>, ReplayError>),
    /// Whether this request comes out otherwise with the new code, as far as the check with this number goes.
    Checked(u64, RequestId, bool),
    /// What came of [`Command::EditText`]; or why nothing did.
    Edited(Result<String, String>),
    /// What came of [`Command::Copy`].
    Copied {
        /// Where the text is.
        copied: Copied,
        /// What it is, for a person.
        what: String,
    },
    /// The flows there are, or why nobody knows.
    Flows(Result<Vec<FlowInfo>, String>),
    /// What is usual for the flow of this name, or why that cannot be told.
    Measured(String, Result<Arc<Measured>, String>),
    /// The answer to [`Command::GoOn`].
    GoOn,
    /// Something that a person should know.
    Notice(Notice),
    /// Somebody asked us to stop for a while (SIGTSTP).
    Stop,
    /// End at once: a signal, or the other side is done.
    End,
}

/// A line for a person, shown for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it says.
    pub text: String,
    /// Whether something went wrong.
    pub is_bad: bool,
}

impl Notice {
    /// Something went well.
    pub(crate) fn good(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_bad: false }
    }

    /// Something went wrong.
    pub fn bad(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_bad: true }
    }
}

/// What `update` asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Load a trace; comes back as [`Message::Loaded`].
    Load(RequestId),
    /// Compare a request with others of its flow; comes back as [`Message::Explained`].
    Explain(RequestId),
    /// Look at the slots of requests; comes back as [`Message::Scanned`], in pieces. An older search ends.
    Scan {
        /// Names the search.
        generation: u64,
        /// The requests, with their numbers.
        requests: Vec<(i32, RequestId)>,
        /// What their slots must hold.
        terms: Vec<SlotTerm>,
    },
    /// Run a request again; comes back as [`Message::Replayed`].
    Replay {
        /// Names the replay.
        number: u64,
        /// The request.
        id: RequestId,
        /// What is to be different.
        edits: Edits,
    },
    /// Run requests again with new code, one after another; each comes back as [`Message::Checked`]. An older check ends.
    Check {
        /// Names the check.
        number: u64,
        /// The requests.
        ids: Vec<RequestId>,
    },
    /// Have a person edit a text in an editor; comes back as [`Message::Edited`].
    EditText(String),
    /// Ask the service at this address how it is; comes back as [`Message::Health`].
    Health(String),
    /// Find the flows; comes back as [`Message::Flows`].
    Flows,
    /// Tell what is usual for a flow; comes back as [`Message::Measured`].
    Measure(String),
    /// Read a source file, as the compiler saw it; comes back as [`Message::Source`].
    Read(String),
    /// Put a text onto the clipboard; comes back as [`Message::Copied`].
    Copy {
        /// The text.
        text: String,
        /// What it is, for a person.
        what: String,
    },
    /// Send this escape sequence to the terminal.
    Send(String),
    /// Open an editor on a line of a file, and come back when it ends.
    Edit {
        /// The file, as the compiler saw it.
        file: String,
        /// The line, from 1.
        line: u32,
    },
    /// Send [`Message::GoOn`] after what waits already: there is more to do than may keep keys waiting.
    GoOn,
    /// Give the terminal back and stop, until somebody continues us.
    Suspend,
    /// Draw everything, whatever the terminal shows.
    Redraw,
    /// End.
    Quit,
    /// Another screen, or another request on it; `update` does this one itself.
    Show(Show),
}

impl Command {
    /// Puts an id onto the clipboard.
    pub(crate) fn copy_id(id: RequestId) -> Self {
        Self::Copy { text: id.to_string(), what: format!("the id {id}") }
    }
}

/// Where to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// The list.
    Requests,
    /// One request.
    Timeline(RequestId),
    /// The request after or before the one that is open, in the list.
    Beside {
        /// Whether it is the one below.
        down: bool,
    },
    /// One request, at the step with this position in its flow.
    Step(RequestId, u16),
    /// Two requests, compared.
    Diff(RequestId, RequestId),
    /// One request, run again.
    Replay(RequestId),
    /// What was shown before.
    Back,
}
