//! The state of each thread that other threads read, the registry of threads, and the watchdog.

pub(super) mod active_table;
pub(super) mod health_report;
pub(super) mod long_steps;
pub(super) mod read_delay;
pub(super) mod thread_status;
pub(super) mod watchdog;
