//! The model of what zerver records.
//!
//! Everything else speaks in these types: the engine fills a [`Capture`], the recorder turns it into a [`Trace`], and
//! the timeline, the diff and the replayer are functions over traces. This crate performs no I/O and names nothing but
//! serde and bincode.

pub mod bounded_decode;
mod capture;
pub mod duration;
mod events;
mod flow;
mod name;
mod request;
pub mod secret;
mod source;
pub mod text;
mod traces;
pub mod value;

pub use capture::{Capture, CaptureSink, Recordable, SharedValue, TypedValue};
pub use events::{Answer, Decision, EffectError, EffectErrorKind, Event, QueueReason, RequestPart, Thread};
pub use flow::{Class, FlowInfo, ReadInfo, SlotInfo, StepInfo, WriteInfo};
pub use name::Name;
pub use request::{
    Body, FailureInfo, FailureKind, Header, IdPrefix, Message, MessageInfo, MessagePart, ParseIdError,
    RequestId, RequestInfo, ResponseInfo,
};
pub use source::{Cursor, Query, SourceError, StatusFilter, TraceSelector, TraceSource};
pub use traces::{
    Kept, Masked, MissingReason, Origin, Outcome, Recorded, RecordedBody, RedactedText, Redaction, Summary,
    TextPlace, Trace,
};
pub use value::{Node, Value, ValueError};
