//! Compares a run of today's code with a recording or with another run.

pub(crate) mod attribution;
pub(crate) mod call_links;
pub(crate) mod compare_jobs;
pub(crate) mod comparison;
pub(crate) mod effect_order;
pub(crate) mod effects;
pub(crate) mod fast_path;
pub(crate) mod outcome;
pub(crate) mod response;
pub(crate) mod run_pairing;
