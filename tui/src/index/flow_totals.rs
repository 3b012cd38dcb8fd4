//! Numbers of requests and their durations by flow, for millions of requests.

use std::collections::BTreeMap;

use zerver_trace::is_client_error;

use super::histogram::Histogram;
use super::request_index::RequestRow;

/// Number of points in the history of a flow.
const POINTS: usize = 20;
/// Maximum number of periods that are kept. With more, each two become one.
const MAX_PERIODS: u64 = 256;
/// Length of the shortest period, as a power of two, in nanoseconds: about 1 s.
const SHORTEST_PERIOD: u32 = 30;

/// Requests by the number of their flow.
#[derive(Debug, Default)]
pub(crate) struct FlowTotals {
    flows: BTreeMap<u16, FlowTotal>,
    /// Number of times that the length of a period has doubled.
    doublings: u32,
    first_unix_ns: Option<u64>,
    last_unix_ns: u64,
}

/// Requests of one flow.
#[derive(Debug, Default)]
pub(crate) struct FlowTotal {
    pub(crate) requests: u64,
    /// Requests that failed, without those whose status is 4xx.
    pub(crate) errors: u64,
    /// Responses with a status of 4xx.
    pub(crate) client_errors: u64,
    pub(crate) time_ns: u128,
    pub(crate) durations: Histogram,
    /// Requests by the period in which they began.
    history: BTreeMap<u64, u64>,
}

impl FlowTotals {
    pub(crate) fn add(&mut self, row: &RequestRow<'_>) {
        let period = row.started_unix_ns >> (SHORTEST_PERIOD + self.doublings);
        let flow = self.flows.entry(row.flow_number).or_default();
        flow.requests += 1;
        flow.errors += u64::from(row.is_error());
        flow.client_errors += u64::from(is_client_error(row.status));
        flow.time_ns += u128::from(row.duration_ns);
        flow.durations.add(row.duration_ns);
        *flow.history.entry(period).or_default() += 1;
        self.first_unix_ns =
            Some(self.first_unix_ns.map_or(row.started_unix_ns, |first| first.min(row.started_unix_ns)));
        self.last_unix_ns = self.last_unix_ns.max(row.started_unix_ns);
        while self.periods().is_some_and(|(first, last)| last - first >= MAX_PERIODS) {
            self.doublings += 1;
            for flow in self.flows.values_mut() {
                let mut merged = BTreeMap::new();
                flow.history
                    .iter()
                    .for_each(|(period, count)| *merged.entry(period / 2).or_default() += count);
                flow.history = merged;
            }
        }
    }

    /// Returns the first and the last period.
    fn periods(&self) -> Option<(u64, u64)> {
        let shift = SHORTEST_PERIOD + self.doublings;
        self.first_unix_ns.map(|first| (first >> shift, self.last_unix_ns >> shift))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &FlowTotal)> {
        self.flows.iter().map(|(number, total)| (*number, total))
    }

    pub(crate) fn get(&self, flow: u16) -> Option<&FlowTotal> {
        self.flows.get(&flow)
    }

    /// Returns the sum of all durations, in nanoseconds.
    pub(crate) fn time_ns(&self) -> u128 {
        self.flows.values().map(|flow| flow.time_ns).sum()
    }

    pub(crate) fn requests(&self) -> u64 {
        self.flows.values().map(|flow| flow.requests).sum()
    }

    /// Returns the time between the first start and the last, in nanoseconds.
    pub(crate) fn span_ns(&self) -> u64 {
        self.first_unix_ns.map_or(0, |first| self.last_unix_ns - first)
    }

    /// Returns the number of requests of a flow in 20 equal parts of the time of all, oldest first.
    pub(crate) fn history(&self, flow: &FlowTotal) -> Vec<u64> {
        let mut points = vec![0; POINTS];
        if let Some((first, last)) = self.periods() {
            let len = last - first + 1;
            for (period, count) in &flow.history {
                points[((period - first) * POINTS as u64 / len) as usize] += count;
            }
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zerver_trace::Summary;

    use super::*;
    use crate::index::RequestIndex;
    use zerver_testkit::sample;

    proptest! {
        #[test]
        fn each_request_is_counted_once(
            requests in prop::collection::vec((0_u8..3, 0_u64..1 << 50, any::<u32>(), 200_u16..600), 0..80),
        ) {
            let mut index = RequestIndex::default();
            let summaries: Vec<_> = requests.iter().map(|(flow, started_unix_ns, duration_ns, status)| Summary {
                flow: format!("flow-{flow}"),
                started_unix_ns: *started_unix_ns,
                duration_ns: (*duration_ns).into(),
                status: *status,
                is_failed: *status >= 500,
                ..sample::slow().summary()
            }).collect();
            index.push_newer(&summaries);
            let mut totals = FlowTotals::default();
            index.range().for_each(|seq| totals.add(&index.row(seq).unwrap()));
            prop_assert_eq!(totals.requests(), summaries.len() as u64);
            for (_, flow) in totals.iter() {
                let history = totals.history(flow);
                prop_assert_eq!(history.len(), POINTS);
                prop_assert_eq!(history.iter().sum::<u64>(), flow.requests);
                prop_assert_eq!(flow.durations.count(), flow.requests);
                prop_assert!(flow.history.len() as u64 <= MAX_PERIODS);
            }
            let errors: u64 = totals.iter().map(|(_, flow)| flow.errors).sum();
            prop_assert_eq!(errors, summaries.iter().filter(|request| request.status >= 500).count() as u64);
        }
    }
}
