//! The program of a service: found, built, started, queried, and used to replay requests.

pub(crate) mod build_progress;
pub(crate) mod cargo;
pub(crate) mod debugger;
pub(crate) mod fault_groups;
pub(crate) mod fault_trial;
pub(crate) mod host;
pub(crate) mod host_pool;
pub(crate) mod http_get;
pub(crate) mod metrics;
pub(crate) mod output_lines;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod query;
pub(crate) mod replayer;
pub(crate) mod slicer;
