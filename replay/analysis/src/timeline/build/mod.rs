//! Builds a timeline from a trace.

pub(crate) mod builder;
pub(crate) mod failure_builder;
pub(crate) mod flow_names;
mod injected_faults;
pub(crate) mod missing_values;
pub(crate) mod time_sums;
mod trace_gaps;
mod undo_states;
