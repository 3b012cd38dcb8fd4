//! How long requests of a flow usually take, so that a list can say which ones did not.

use std::collections::HashMap;

use super::pulse::Histogram;
use crate::index::Row;

/// With fewer requests of a flow, nothing is usual.
const MIN_COUNT: u64 = 10;

/// Per flow, how long its requests took.
#[derive(Debug, Default)]
pub(super) struct Usual(HashMap<u16, Histogram>);

impl Usual {
    pub(super) fn add(&mut self, row: &Row<'_>) {
        self.0.entry(row.flow_number).or_default().add(row.duration_ns);
    }

    /// What half of the requests of a flow took at most; none with too few of them.
    pub(super) fn median_ns(&self, row: &Row<'_>) -> Option<u64> {
        let of = self.0.get(&row.flow_number).filter(|of| of.count() >= MIN_COUNT)?;
        of.percentile(50)
    }

    /// What is to be said of a request: how it failed, or how many times longer than usual it took.
    pub(super) fn verdict(&self, row: &Row<'_>) -> Verdict {
        if row.failed {
            return Verdict::Failed;
        }
        let times = self.median_ns(row).map_or(0, |median| row.duration_ns / (median / 10).max(1));
        if times >= 20 { Verdict::Slow { tenths: times } } else { Verdict::Usual }
    }
}

/// What is to be said of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Usual,
    /// So many tenths of the median of its flow.
    Slow {
        tenths: u64,
    },
    Failed,
}
