//! Effects: I/O as data. A step returns a description of what it needs; the driver of the job performs it.
//!
//! `composition` builds effects of calls (`call_op`) and groups (`group`). `program` holds the operations of an effect,
//! and `machine` performs them without I/O: it emits calls, and takes in how they ended.

mod any;
mod attempt_end;
mod call;
mod call_op;
mod call_scope;
mod composition;
pub(crate) mod function;
mod group;
mod hedge;
mod kind;
mod machine;
mod program;
mod requested_call;
mod retry;
mod settle;
mod standalone;
mod stream_op;

pub use any::{any, first_success};
pub use attempt_end::{AttemptEnd, RetryVerdict};
pub use call::{Assessment, Assessor, Call, CallResult};
pub use composition::{Effect, effect};
pub use group::{All, all, join_all};
pub use hedge::Hedge;
pub use kind::EffectKind;
pub(crate) use machine::{EffectMachine, MachineContext, MachineNote, Progress};
pub use program::RequestEnd;
pub(crate) use program::{Conclusion, Registered, Undo};
pub use requested_call::RequestedCall;
pub use retry::Retry;
pub use settle::{Settle, Settled, settle, settle_each};
pub use standalone::StandaloneEffect;
pub(crate) use stream_op::stream_effect;
