//! A run of today's code, with the recorded inputs, answers and times.

pub(crate) mod call_names;
pub(crate) mod clock;
pub(crate) mod context;
pub(crate) mod found_call;
pub(crate) mod input;
pub(crate) mod recorded_answers;
pub(crate) mod run_result;
pub(crate) mod runner;
