//! What a thread does at this moment and did lately, for other threads to see.

pub(super) mod active_table;
pub(super) mod health_report;
pub(super) mod long_steps;
pub(super) mod read_delay;
pub(super) mod thread_status;
pub(super) mod watchdog;
