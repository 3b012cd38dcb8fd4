//! Events: the recorded facts about a request.

mod decision;
mod effect;
mod event;
mod log_level;
mod plan_shape;
mod policy;
mod thread;

pub use decision::Decision;
pub use effect::{Answer, EffectError, EffectErrorKind, QueueReason};
pub use event::{Event, RequestPart};
pub use log_level::LogLevel;
pub use plan_shape::PlanShape;
pub use policy::PolicyDecision;
pub use thread::Thread;
