//! Options that select requests.

use clap::Args;
use zerver_trace::duration::HumanDuration;
use zerver_trace::{Query, StatusFilter};

/// Maximum difference between the clocks of two machines, in nanoseconds.
const CLOCK_SKEW_NS: u64 = 60_000_000_000;

#[derive(Debug, Clone, Default, PartialEq, Args)]
pub(crate) struct Filter {
    /// Only requests of this flow
    #[arg(long, value_name = "FLOW")]
    pub(crate) flow: Option<String>,
    /// Only responses with this status, or class of status: 404, 5xx
    #[arg(long)]
    pub(crate) status: Option<StatusFilter>,
    /// Only failed requests: 5xx, errors that ended a step (4xx too), rejections, timeouts, clients that left
    #[arg(long)]
    pub(crate) failed: bool,
    /// Only requests slower than this, such as 10ms or 1.5s
    #[arg(long, value_name = "DURATION")]
    pub(crate) slower_than: Option<HumanDuration>,
    /// Only requests that began in the last 5m, 2h, 1d
    #[arg(long, value_name = "DURATION")]
    pub(crate) since: Option<HumanDuration>,
    /// Only requests on connections of this worker, counted from 0
    #[arg(long, value_name = "NUMBER")]
    pub(crate) worker: Option<u16>,
}

impl Filter {
    /// Returns the query to run on a store.
    pub(crate) fn query(&self, now_unix_ns: u64, limit: Option<usize>) -> Query {
        Query {
            flow: self.flow.clone(),
            status: self.status,
            only_failed: self.failed,
            slower_than_ns: self.slower_than.map(|span| span.ns),
            since_unix_ns: self.since.map(|span| now_unix_ns.saturating_sub(span.ns)),
            // A request recorded by a clock that was ahead did not begin in the last minutes.
            until_unix_ns: self.since.map(|_| now_unix_ns.saturating_add(CLOCK_SKEW_NS)),
            worker: self.worker,
            limit,
        }
    }
}
