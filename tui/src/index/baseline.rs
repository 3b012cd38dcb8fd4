//! How long requests of a flow usually take, so that a list can say which ones did not.

use std::collections::HashMap;

use super::histogram::Histogram;
use super::request_index::RequestRow;

/// With fewer requests of a flow, nothing is usual.
const MIN_COUNT: u64 = 10;

/// Per flow, how long its requests took.
#[derive(Debug, Default)]
pub(crate) struct Baseline(HashMap<u16, FlowDurations>);

#[derive(Debug, Default)]
struct FlowDurations {
    durations: Histogram,
    /// As of [`Baseline::settle`]; none with too few requests.
    median_ns: Option<u64>,
    is_changed: bool,
}

impl Baseline {
    pub(crate) fn add(&mut self, row: &RequestRow<'_>) {
        let flow = self.0.entry(row.flow_number).or_default();
        flow.durations.add(row.duration_ns);
        flow.is_changed = true;
    }

    /// Works out what is usual for the flows that have changed.
    pub(crate) fn settle(&mut self) {
        for flow in self.0.values_mut().filter(|flow| flow.is_changed) {
            let is_enough = flow.durations.count() >= MIN_COUNT;
            flow.median_ns = flow.durations.percentile(50).filter(|_| is_enough);
            flow.is_changed = false;
        }
    }

    /// What half of the requests of a flow took at most; none with too few of them.
    fn median_ns(&self, row: &RequestRow<'_>) -> Option<u64> {
        self.0.get(&row.flow_number)?.median_ns
    }

    /// What is to be said of a request: how it failed, or how many times longer than usual it took.
    pub(crate) fn verdict(&self, row: &RequestRow<'_>) -> Verdict {
        if row.failed {
            return Verdict::Failed;
        }
        let times = self.median_ns(row).map_or(0, |median| row.duration_ns / (median / 10).max(1));
        if times >= 20 { Verdict::Slow { tenths: times } } else { Verdict::Normal }
    }
}

/// What is to be said of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Normal,
    /// So many tenths of the median of its flow.
    Slow {
        tenths: u64,
    },
    Failed,
}
