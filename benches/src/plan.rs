//! Size of a benchmark run.

use std::time::Duration;

/// Parameters of one table.
pub(crate) struct Plan {
    /// Number of rounds, in each of which every server is measured once.
    pub(crate) rounds: usize,
    /// Duration of one measurement.
    pub(crate) time: Duration,
    /// Number of connections of the load.
    pub(crate) connections: usize,
    /// Number of items in tables that count items: idle connections, stolen requests, requests under valgrind.
    pub(crate) count: usize,
}

pub(crate) const FULL: Plan =
    Plan { rounds: 7, time: Duration::from_millis(1500), connections: 64, count: 10_000 };
pub(crate) const LONG: Plan = Plan { rounds: 3, time: Duration::from_secs(5), ..FULL };
pub(crate) const QUICK: Plan =
    Plan { rounds: 1, time: Duration::from_millis(200), connections: 8, count: 50 };
