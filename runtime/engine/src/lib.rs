//! Flows, steps, slots, decisions and effects: the part of zerver that performs no I/O.
//!
//! A [`Job`] is one request in execution. It takes inputs (run a step, an effect has completed, the client is gone) and
//! says what is to happen next; whoever drives it performs the effects and tells the time. The same code therefore runs
//! under real workers, under a replay, and under virtual time. This crate names no runtime, no clock, no randomness and
//! no environment: all of that enters as an input and is recorded.

mod builtins;
mod decision;
mod effect;
mod failure;
mod flow;
mod job;
mod panics;
mod request;
mod response;
mod schedule;
mod simulate;
mod slot;
mod step;
mod step_order;

pub use builtins::{Now, Random};
pub use decision::{Decided, Decision, Ends, IntoDecision, NoProgress};
pub use effect::{All, Alone, Call, Effect, EffectKind, Performed, Retry, all, effect, join_all};
pub use failure::{Failure, FieldFailure};
pub use flow::{Chain, Flow, FlowDef, FlowError, RenderFailure};
pub use job::{Arrival, Ended, Job, MAX_EVENTS, Next, Start, Stop};
pub use panics::watch_panics;
pub use request::{Params, Request};
pub use response::Response;
pub use schedule::{
    ClassSettings, FairQueue, LagDetector, OverrunLimit, OverrunTracker, QueueCounts, SchedulingSettings,
    SettingError, Shed, ShedReason, Ticket, Turn,
};
pub use simulate::{Phase, SimMachine, SimOutcome, SimRequest, SimResult, StepCost, core_rates, simulate};
pub use slot::{Part, Shared, Slot, SlotDesc, Slots, Write, Writes};
pub use step::{Frame, Read, Step, StepDesc};

pub use zerver_macros::{Slot, chain, flow, step};
pub use zerver_trace::{Class, EffectError, EffectErrorKind, FailureKind, RequestId, Value};
