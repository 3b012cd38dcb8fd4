//! Summaries of flows: how many requests each had, how many failed, and how long they took.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;
use zerver_trace::{Summary, is_client_error};

use crate::quantile::quantile;

/// Number of periods in the history of a flow.
const PERIODS: usize = 20;

/// Requests of one flow, summarized. Durations are in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FlowSummary {
    /// Slug of the flow; empty for requests that matched no flow.
    pub flow: String,
    /// Number of requests.
    pub requests: u64,
    /// Number of requests that failed, without those whose status is 4xx.
    pub errors: u64,
    /// Number of responses with a status of 4xx.
    pub client_errors: u64,
    /// Requests per second, over the period of all requests; `None` if it has no length.
    pub rate_per_s: Option<f64>,
    /// Median of the durations.
    pub p50_ns: u64,
    /// Duration that 95 % of the requests did not exceed.
    pub p95_ns: u64,
    /// Duration that 99 % of the requests did not exceed.
    pub p99_ns: u64,
    /// Part of the sum of the durations of all flows, from 0 to 1.
    pub share: f64,
    /// Change of the median relative to the requests that it is compared with: 0.5 for one that is half as long again.
    /// `None` if there are none.
    pub change: Option<f64>,
    /// Number of requests in each of 20 equal periods, oldest first.
    pub history: Vec<u64>,
}

/// Column to sort flows by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlowOrder {
    /// Share of the time, longest first.
    #[default]
    Share,
    /// Slug.
    Flow,
    /// Number of requests, most first.
    Requests,
    /// Number of errors, most first.
    Errors,
    /// 99th percentile, longest first.
    P99,
    /// Median, longest first.
    P50,
    /// Change of the median, the largest increase first.
    Change,
}

impl FlowOrder {
    /// Compares two flows: the one that sorts first is less.
    pub fn compare(self, a: &FlowSummary, b: &FlowSummary) -> Ordering {
        let key = |flow: &FlowSummary| match self {
            Self::Share => flow.share,
            Self::Flow => 0.0,
            Self::Requests => flow.requests as f64,
            Self::Errors => flow.errors as f64,
            Self::P99 => flow.p99_ns as f64,
            Self::P50 => flow.p50_ns as f64,
            Self::Change => flow.change.unwrap_or(f64::NEG_INFINITY),
        };
        key(b).total_cmp(&key(a)).then_with(|| a.flow.cmp(&b.flow))
    }
}

/// Summarizes requests by flow. `versus` are the requests that they are compared with.
pub fn summarize_flows(requests: &[Summary], versus: &[Summary], order: FlowOrder) -> Vec<FlowSummary> {
    let started = || requests.iter().map(|request| request.started_unix_ns);
    let (first, last) = (started().min().unwrap_or(0), started().max().unwrap_or(0));
    let total: u128 = requests.iter().map(|request| u128::from(request.duration_ns)).sum();
    let before: BTreeMap<_, _> = by_flow(versus)
        .into_iter()
        .map(|(flow, requests)| (flow, quantile(&durations(&requests), 50)))
        .collect();
    let mut flows: Vec<_> = by_flow(requests)
        .into_iter()
        .map(|(flow, requests)| {
            let durations = durations(&requests);
            let own: u128 = durations.iter().map(|ns| u128::from(*ns)).sum();
            let p50_ns = quantile(&durations, 50);
            FlowSummary {
                flow: flow.to_owned(),
                requests: requests.len() as u64,
                errors: requests.iter().filter(|request| request.is_error()).count() as u64,
                client_errors: requests.iter().filter(|request| is_client_error(request.status)).count()
                    as u64,
                rate_per_s: (last > first).then(|| requests.len() as f64 / ((last - first) as f64 / 1e9)),
                p50_ns,
                p95_ns: quantile(&durations, 95),
                p99_ns: quantile(&durations, 99),
                share: if total == 0 { 0.0 } else { own as f64 / total as f64 },
                change: before
                    .get(flow)
                    .filter(|before| **before > 0)
                    .map(|before| p50_ns as f64 / *before as f64 - 1.0),
                history: history(&requests, first, last),
            }
        })
        .collect();
    flows.sort_by(|a, b| order.compare(a, b));
    flows
}

fn by_flow(requests: &[Summary]) -> BTreeMap<&str, Vec<&Summary>> {
    let mut flows: BTreeMap<&str, Vec<&Summary>> = BTreeMap::new();
    for request in requests {
        flows.entry(&request.flow).or_default().push(request);
    }
    flows
}

/// Returns the durations, shortest first.
fn durations(requests: &[&Summary]) -> Vec<u64> {
    let mut durations: Vec<_> = requests.iter().map(|request| request.duration_ns).collect();
    durations.sort_unstable();
    durations
}

fn history(requests: &[&Summary], first: u64, last: u64) -> Vec<u64> {
    let mut periods = vec![0; PERIODS];
    for request in requests {
        let passed = u128::from(request.started_unix_ns - first) * PERIODS as u128;
        let period = passed / u128::from((last - first).max(1));
        periods[(period as usize).min(PERIODS - 1)] += 1;
    }
    periods
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerver_testkit::sample;

    fn request(flow: &str, ms: u64, status: u16, started_s: u64) -> Summary {
        Summary {
            flow: flow.to_owned(),
            duration_ns: ms * 1_000_000,
            status,
            is_failed: status >= 500,
            started_unix_ns: started_s * 1_000_000_000,
            ..sample::slow().summary()
        }
    }

    #[test]
    fn flows_are_summarized_and_compared() {
        let mut requests: Vec<_> = (1..=100).map(|ms| request("report", ms, 200, ms / 10)).collect();
        requests.push(request("todo", 50, 404, 0));
        requests.push(request("todo", 150, 503, 10));
        let versus = [request("report", 40, 200, 0), request("gone", 1, 200, 0)];
        let flows = summarize_flows(&requests, &versus, FlowOrder::Share);
        assert_eq!(flows.iter().map(|flow| flow.flow.as_str()).collect::<Vec<_>>(), ["report", "todo"]);
        let report = &flows[0];
        assert_eq!((report.p50_ns, report.p95_ns, report.p99_ns), (50_000_000, 95_000_000, 99_000_000));
        assert_eq!((report.change, report.rate_per_s), (Some(0.25), Some(10.0)));
        assert_eq!(report.history.iter().sum::<u64>(), 100);
        let todo = &flows[1];
        assert_eq!((todo.errors, todo.client_errors, todo.change), (1, 1, None));
        assert!((report.share + todo.share - 1.0).abs() < 1e-12);
        let by_errors = summarize_flows(&requests, &[], FlowOrder::Errors);
        assert_eq!(by_errors[0].flow, "todo");
        assert!(summarize_flows(&[], &versus, FlowOrder::Flow).is_empty());
    }

    #[test]
    fn one_request_has_no_rate() {
        let flows = summarize_flows(&[request("a", 0, 200, 5)], &[], FlowOrder::Flow);
        assert_eq!((flows[0].rate_per_s, flows[0].share, flows[0].p99_ns), (None, 0.0, 0));
    }
}
