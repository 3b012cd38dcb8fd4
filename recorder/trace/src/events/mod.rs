//! Events: the recorded facts about a request.

mod event;

pub use event::{Answer, Decision, EffectError, EffectErrorKind, Event, QueueReason, RequestPart, Thread};
