//! The model of what zerver records.
//!
//! Everything else speaks in these types: the engine fills a [`Capture`], the recorder turns it into a [`Trace`], and
//! the timeline, the diff and the replayer are functions over traces. This crate performs no I/O and names nothing but
//! serde and bincode.

pub mod bounded_decode;
mod capture;
/// Lengths of time, for people.
pub mod duration;
mod event;
mod failure;
mod flow;
mod id;
mod message;
mod name;
mod redaction;
pub mod secret;
mod source;
/// Making recorded bytes safe for a terminal.
pub mod text;
mod trace;
/// Self-describing values.
pub mod value;

pub use capture::{Capture, CaptureSink, Recordable, SharedValue, TypedValue};
pub use event::{Answer, Decision, EffectError, EffectErrorKind, Event, QueueReason, RequestPart, Thread};
pub use failure::{FailureInfo, FailureKind};
pub use flow::{Class, FlowInfo, ReadInfo, SlotInfo, StepInfo, WriteInfo};
pub use id::{IdPrefix, ParseIdError, RequestId};
pub use message::{Body, Header, Message, MessageInfo, MessagePart, RequestInfo, ResponseInfo};
pub use name::Name;
pub use redaction::{RedactedText, Redaction, TextPlace};
pub use source::{Cursor, Query, SourceError, StatusFilter, TraceSelector, TraceSource};
pub use trace::{Kept, Masked, MissingReason, Origin, Outcome, Recorded, RecordedBody, Summary, Trace};
pub use value::{Node, Value, ValueError};
