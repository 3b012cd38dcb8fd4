//! Events: the recorded facts about a request.

mod decision;
mod effect;
mod event;
mod plan_shape;
mod policy;
mod thread;

pub use decision::Decision;
pub use effect::{Answer, EffectError, EffectErrorKind, QueueReason};
pub use event::{Event, RequestPart};
pub use plan_shape::PlanShape;
pub use policy::PolicyDecision;
pub use thread::Thread;
