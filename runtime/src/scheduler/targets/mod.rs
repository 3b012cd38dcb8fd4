//! Policies of targets, applied to the calls of all threads: circuit breaker, retry budget, rate limit, time limit, and the
//! number of calls in flight.
//!
//! `target_table` finds the state of a target, `target` decides about calls, and `target_call` accompanies one call from
//! its start to the decision about another attempt. The rules themselves are in the engine, without threads and clocks.

mod target;
mod target_call;
mod target_settings;
mod target_table;

pub(crate) use target::{CallRefusal, Target};
pub(crate) use target_call::{PolicyNote, TargetCall, TargetPass};
pub(crate) use target_settings::TargetSettings;
pub(crate) use target_table::TargetTable;
