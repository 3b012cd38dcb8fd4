//! The model of everything that zerver records.
//!
//! The other crates exchange these types: the engine fills a [`Capture`], the recorder turns it into a [`Trace`], and
//! the timeline, the diff and the replayer are functions of traces. This crate performs no I/O, and depends only on
//! serde and bincode.

pub mod bounded_decode;
mod capture;
mod catalog;
pub mod duration;
mod events;
mod flow;
mod name;
mod nearest_name;
mod request;
pub mod secret;
mod source;
pub mod text;
mod trace_context;
mod traces;
pub mod value;

pub use capture::{Capture, CaptureSink, EndedRequest};
pub use catalog::{AliasInfo, CatalogFlow, FlowDeclaration, InputInfo, SloInfo};
pub use events::{
    Answer, Decision, EffectError, EffectErrorKind, Event, LogLevel, PlanShape, PolicyDecision, QueueReason,
    RequestPart, Thread,
};
pub use flow::{FlowInfo, ReadInfo, SlotInfo, StepInfo, WriteInfo};
pub use name::Name;
pub use nearest_name::nearest_name;
pub use request::{
    Body, Class, FailureInfo, FailureKind, Header, IdPrefix, Kept, Message, MessageInfo, MessagePart,
    Outcome, ParseIdError, RequestId, RequestInfo, ResponseInfo, implies_outcome, is_client_error,
};
pub use source::{
    Cursor, EventSubject, PlacedValue, Query, SlotCondition, SourceError, StatusFilter, Tally, TraceSelector,
    TraceSource, TraceView, ValuePlace, test_subjects,
};
pub use trace_context::{SpanId, TraceParent};
pub use traces::{
    Masked, MissingReason, Origin, Recorded, RecordedBody, RecordedBy, RedactedText, Redaction, SealedBy,
    Summary, TextPlace, Trace,
};
pub use value::{Node, Recordable, SharedValue, TypedValue, Value, ValueError};
