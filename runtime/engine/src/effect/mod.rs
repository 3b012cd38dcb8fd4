//! Effects: I/O as data.

mod call;
mod call_op;
mod call_scope;
mod composition;
mod group;
mod machine;
mod program;
mod requested_call;
mod retry;
mod standalone;

pub use call::{Call, Performed};
pub use composition::{All, Effect, EffectKind, all, effect};
pub use group::join_all;
pub(crate) use machine::{Calls, Machine, Progress};
pub use requested_call::Start;
pub use retry::Retry;
pub use standalone::Alone;
