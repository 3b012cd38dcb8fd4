//! Size of a benchmark run.

use std::time::Duration;

/// Parameters of one table.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Number of rounds, in each of which every server is measured once.
    pub(crate) rounds: usize,
    /// Duration of one measurement.
    pub(crate) time: Duration,
    /// Number of connections of the load.
    pub(crate) connections: usize,
    /// Number of items in tables that count items: idle connections, stolen requests, requests under valgrind,
    /// recorded requests.
    pub(crate) count: usize,
    /// Number by which the size of a fleet's week is divided.
    pub(crate) scale: u32,
    /// Parts of the names of the rows to measure, separated by `|`, for tables with many rows. A ratio is left out if the
    /// row that it refers to is not measured.
    pub(crate) only: Option<&'static str>,
}

impl Plan {
    /// Returns true if the run only shows that a table can be made.
    pub(crate) fn is_quick(&self) -> bool {
        self.count == QUICK.count
    }

    /// Returns true if the row with this name is measured.
    pub(crate) fn includes(&self, name: &str) -> bool {
        self.only.is_none_or(|only| only.split('|').any(|part| name.contains(part)))
    }
}

pub(crate) const FULL: Plan = Plan {
    rounds: 7,
    time: Duration::from_millis(1500),
    connections: 64,
    count: 10_000,
    scale: 100,
    only: None,
};
pub(crate) const LONG: Plan = Plan { rounds: 3, time: Duration::from_secs(5), ..FULL };
pub(crate) const QUICK: Plan = Plan {
    rounds: 1,
    time: Duration::from_millis(200),
    connections: 8,
    count: 50,
    scale: 20_000,
    only: None,
};
