//! What comes in, and what is asked for: the two closed enums at the border of `update`.

use std::sync::Arc;

use crossterm::event::Event;
use zerver_replay::{Edits, Refusal};
use zerver_trace::{FlowInfo, RequestId, Summary};

use crate::services::{Measured, Replayed};
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
    /// What came of the replay with this number, or why there is none.
    Replayed(u64, Result<Arc<Replayed>, Refusal>),
    /// What came of [`Command::EditText`]; or why nothing did.
    Edited(Result<String, String>),
    /// The flows there are, or why nobody knows.
    Flows(Result<Vec<FlowInfo>, String>),
    /// What is usual for the flow of this name, or why that cannot be told.
    Measured(String, Result<Arc<Measured>, String>),
    /// Something that a person should know.
    Notice(Notice),
    /// The terminal is ours again, after an editor or a stop.
    Resumed,
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
    /// Run a request again; comes back as [`Message::Replayed`].
    Replay {
        /// Names the replay.
        number: u64,
        /// The request.
        id: RequestId,
        /// What is to be different.
        edits: Edits,
    },
    /// Have a person edit a text in an editor; comes back as [`Message::Edited`].
    EditText(String),
    /// Find the flows; comes back as [`Message::Flows`].
    Flows,
    /// Tell what is usual for a flow; comes back as [`Message::Measured`].
    Measure(String),
    /// Put a text onto the clipboard.
    Copy(String),
    /// Give the terminal back and stop, until somebody continues us.
    Suspend,
    /// Draw everything, whatever the terminal shows.
    Redraw,
    /// End.
    Quit,
    /// Another screen, or another request on it; `update` does this one itself.
    Show(Show),
}

/// Where to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// The list.
    Requests,
    /// One request.
    Timeline(RequestId),
    /// One request, at the step with this position in its flow.
    Step(RequestId, u16),
    /// Two requests, compared.
    Diff(RequestId, RequestId),
    /// One request, run again.
    Replay(RequestId),
    /// What was shown before.
    Back,
}
