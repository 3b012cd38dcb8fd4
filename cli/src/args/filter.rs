//! Options that select requests.

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use zerver_trace::duration::HumanDuration;
use zerver_trace::{Query, StatusFilter};

use super::value::{UnixTime, time};
use crate::candidates::flows;

/// Maximum difference between the clocks of two machines, in nanoseconds.
const CLOCK_SKEW_NS: u64 = 60_000_000_000;

#[derive(Debug, Clone, Default, PartialEq, Args)]
pub(crate) struct Filter {
    /// Only requests of this flow
    #[arg(long, value_name = "FLOW", add = ArgValueCompleter::new(flows))]
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
    /// Only requests that began in the last 5m or 2h, or after a time: today, 14:30, 2026-11-29, "2026-11-29 14:30"
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<UnixTime>,
    /// Only requests that began before such a time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<UnixTime>,
    /// Only requests on connections of this worker, counted from 0
    #[arg(long, value_name = "NUMBER")]
    pub(crate) worker: Option<u16>,
}

impl Filter {
    /// Returns the query to run on a store.
    pub(crate) fn query(&self, now_unix_ns: u64, limit: Option<usize>) -> Query {
        // A request recorded by a clock that was ahead did not begin in the last minutes.
        let latest = self.since.map(|_| now_unix_ns.saturating_add(CLOCK_SKEW_NS));
        Query {
            flow: self.flow.clone(),
            status: self.status,
            only_failed: self.failed,
            slower_than_ns: self.slower_than.map(|span| span.ns),
            since_unix_ns: self.since.map(|time| time.unix_ns),
            until_unix_ns: self.until.map(|time| time.unix_ns).or(latest),
            in_progress_unix_ns: None,
            worker: self.worker,
            slots: Vec::new(),
            limit,
        }
    }
}
