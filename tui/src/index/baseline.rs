//! Typical duration of each flow, against which a request counts as slow.

use std::collections::HashMap;

use zerver_trace::implies_outcome;

use super::histogram::Histogram;
use super::request_index::RequestRow;

/// Minimum number of requests of a flow for a meaningful median.
const MIN_COUNT: u64 = 10;

/// Durations by flow.
#[derive(Debug, Default)]
pub(crate) struct Baseline(HashMap<u16, FlowDurations>);

#[derive(Debug, Default)]
struct FlowDurations {
    durations: Histogram,
    /// Median as of the last [`Baseline::settle`]; `None` with too few requests.
    median_ns: Option<u64>,
    is_changed: bool,
}

impl Baseline {
    pub(crate) fn add(&mut self, row: &RequestRow<'_>) {
        let flow = self.0.entry(row.flow_number).or_default();
        flow.durations.add(row.duration_ns);
        flow.is_changed = true;
    }

    /// Recomputes the medians of the flows that changed.
    pub(crate) fn settle(&mut self) {
        for flow in self.0.values_mut().filter(|flow| flow.is_changed) {
            let is_enough = flow.durations.count() >= MIN_COUNT;
            flow.median_ns = flow.durations.percentile(50).filter(|_| is_enough);
            flow.is_changed = false;
        }
    }

    /// Returns the median duration of a flow, or `None` with too few requests.
    fn median_ns(&self, row: &RequestRow<'_>) -> Option<u64> {
        self.0.get(&row.flow_number)?.median_ns
    }

    /// Judges a request: ended in a way that its status does not tell, slow for its flow, or normal.
    pub(crate) fn verdict(&self, row: &RequestRow<'_>) -> Verdict {
        if !implies_outcome(row.status, row.outcome) {
            return Verdict::Failed;
        }
        let times = self.median_ns(row).map_or(0, |median| row.duration_ns / (median / 10).max(1));
        if times >= 20 { Verdict::Slow { tenths: times } } else { Verdict::Normal }
    }
}

/// Judgment of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Normal,
    /// Duration in tenths of the median of its flow.
    Slow {
        tenths: u64,
    },
    /// Its status does not say how it ended.
    Failed,
}
