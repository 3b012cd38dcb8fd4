//! Pure functions over traces.
//!
//! A [`Timeline`] says where the time of one request went; a [`Replay`] runs one again. Everything here takes a loaded [`zerver_trace::Trace`] and
//! gives back plain data: no store, no socket, no clock, and nothing is printed. A trace may be incomplete or hostile;
//! the answer then says what is missing, and no function panics.

mod json;
mod replayer;
mod rfc3339;
mod timeline;
pub mod wire;

pub use json::Json;
pub use replayer::{
    Applied, Coverage, EditError, Edits, Finding, FindingClass, Opened, Refusal, Replay, Replied, Report,
    Secrets, Side, SlotEdit, Source, flow_is_gone, nearest,
};
pub use rfc3339::{Utc, rfc3339};
pub use timeline::{
    Attempt, Contributor, Effect, End, Failure, Gap, Io, Part, Run, Step, Timeline, TimelineJson, Totals,
    Verdict, Write, median,
};
