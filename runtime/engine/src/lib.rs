//! The part of zerver that performs no I/O: flows, steps, slots, decisions and effects.
//!
//! Services use it through the crate `zerver`, which re-exports these types in its prelude.
//!
//! - A **flow** ([`FlowDef`], [`flow!`]) is a route and the steps that serve it, in order.
//! - A **step** ([`macro@step`]) is a plain function. It reads slots through its parameters and returns a [`Decision`].
//!   It performs no I/O and reads no clock.
//! - A **slot** ([`macro@slot`]) is a typed value of one request: written by one step, read by later ones. `flow!`
//!   checks at compile time that every slot is written before it is read.
//! - An **effect** ([`Effect`]) describes I/O. A step returns it as [`Decision::Need`], and its output becomes a slot.
//! - A **failure** ([`Failure`]) ends a request with an error response.
//!
//! ```
//! use zerver_engine::{FlowDef, Request, Response, flow, slot, step};
//!
//! #[slot]
//! struct Name(String);
//!
//! #[step]
//! fn parse_name(request: &Request) -> Name {
//!     Name(request.param_str("name").unwrap_or("world").to_owned())
//! }
//!
//! #[step]
//! fn greet(name: &Name) -> Response {
//!     Response::text(format!("hello, {}", name.0))
//! }
//!
//! fn greeting() -> FlowDef {
//!     flow!("greeting", GET "/hello/{name}", steps: [parse_name, greet])
//! }
//!
//! // A step is still a function.
//! assert_eq!(greet(&Name("ann".into())).body, "hello, ann");
//! # greeting();
//! ```
//!
//! A [`Job`] is one request in execution: a state machine. Its caller, the driver, passes inputs (run a step, an effect
//! has completed, the client has left) and learns what to do next; it performs the effects and keeps the time. The same
//! code therefore runs under real workers, in a replay, and in virtual time. This crate names no runtime, no clock, no
//! source of randomness and no environment: all of that enters as input, and is recorded.
//!
//! The scheduling policy ([`FairQueue`]) and its simulator ([`simulate()`]) are here for the same reason.

#![warn(missing_debug_implementations)]

mod chaos;
mod effect;
mod failure;
mod flow;
pub mod input;
mod job;
mod message;
mod panics;
mod policy;
mod schedule;
pub mod service_docs;
mod shape;
mod simulate;
mod slot;
mod step;
mod stream;

pub use chaos::{Chaos, ChaosFault, ChaosRule, ChaosRuleError, Injection};
pub use effect::{
    All, Assessment, Assessor, AttemptEnd, Call, CallResult, Effect, EffectKind, Hedge, RequestEnd,
    RequestedCall, Retry, RetryVerdict, Settle, Settled, StandaloneEffect, all, any, effect, first_success,
    join_all, settle, settle_each,
};
pub use failure::{Failure, FieldFailure};
pub use flow::{Alias, Chain, Date, Flow, FlowDef, FlowError, RenderFailure, ResponseDoc, Slo};
pub use input::{
    Cookies, Form, FromRequest, Headers, InputDesc, InputPart, InvalidFields, Json, Path, Query, Valid,
    Validate,
};
pub use job::{Arrival, FinishedJob, Job, MAX_EVENTS, Next, StopReason, UNDO_GRACE};
#[doc(hidden)]
pub use message::visit_request_line;
pub use message::{Cookie, JsonObject, Page, Params, ReceivedBody, Request, Response, SameSite};
pub use panics::install_panic_hook;
pub use policy::{
    AdaptiveLimit, Breaker, BreakerChange, BreakerPass, BreakerSettings, BreakerState, CallOutcome, Places,
    RateExceeded, RateLimit, RetryBudget, TargetPolicy, max_place_wait_ns,
};
pub use schedule::{
    ClassSettings, FairQueue, LagDetector, OverrunLimit, OverrunTracker, QueueCounts, SchedulingSettings,
    SettingError, Shed, ShedReason, Ticket, Turn,
};
pub use shape::{Shape, ShapeField, ShapeFormat};
pub use simulate::{
    BrownOut, BrownOutResult, Phase, SimMachine, SimOutcome, SimRequest, SimResult, StepCost, core_rates,
    simulate, simulate_brown_out,
};
pub use slot::{
    ArrivalTime, Random, Shared, Slot, SlotDesc, SlotOutput, StepInput, StepOutput, WriteDesc, Writes,
};
pub use step::{Decision, ErasedDecision, Final, IntoDecision, NoProgress, ReadDesc, Step, StepDesc};
pub use stream::{
    ClosedBy, JsonLine, MessageCount, RecordedMessage, ResponseStream, ServerEvent, StreamEnd, StreamFormat,
    StreamItem, StreamKind, WebSocketEnd, WebSocketKind, WebSocketRules, WebSocketSession,
};

pub use zerver_macros::{Row, Slot, chain, effect, flow, input, slot, step, stream, websocket};
pub use zerver_trace::{Class, EffectError, EffectErrorKind, FailureKind, RequestId, Value};

/// Crates that the code of the macros names. Not a public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::effect::function::{
        ConvertError, ErrorProbe, FailureProbe, FunctionError, FunctionOutcome, KeepError, KeepText,
        RecordCauses, RecordText, RecordValue, ResultParts, function_effect, function_summary, stream_error,
    };
    pub use serde;
}
