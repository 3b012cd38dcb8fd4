//! Plan of a benchmark: how often, how long and with how many connections it runs.

use std::time::Duration;

/// Plan of a benchmark.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
    pub(crate) connections: usize,
    /// Size of whatever the benchmark has many of.
    pub(crate) many: usize,
}
