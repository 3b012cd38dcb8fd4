//! Counting of requests as they arrive: rates of all, totals of the listed ones, and baselines of the flows.

use super::state::RequestsScreen;
use crate::index::{Metrics, SCAN_CHUNK, SelectionTotals};
use crate::state::SharedState;

impl RequestsScreen {
    /// Counts the requests that were added to the index.
    pub(super) fn catch_up(&mut self, shared: &SharedState) {
        let range = shared.index.range();
        let (first, end) = self.counted;
        self.counted = (range.start, range.end);
        for seq in (range.start..first).rev().chain(end.max(range.start)..range.end) {
            if let Some(row) = shared.index.row(seq) {
                self.rates.add(&row, shared.now_unix_ns);
                self.totals.add(&row);
                self.baseline.add(&row);
            }
        }
        self.rates.settle();
        self.baseline.settle();
        self.list.catch_up(&shared.index, SCAN_CHUNK, None);
        self.count_selected(shared);
    }

    pub(super) fn count_selected(&mut self, shared: &SharedState) {
        for seq in self.list.take_admitted() {
            if let Some(row) = shared.index.row(seq) {
                self.selected.add(&row);
            }
        }
    }

    /// Returns the metrics of the last seconds if the list is live and shows all requests, and there were any.
    pub(super) fn live_metrics(&self, now_unix_ns: u64) -> Option<Metrics> {
        let is_live = self.is_following && self.list.filter().is_empty();
        is_live.then(|| self.rates.metrics(now_unix_ns)).filter(|metrics| metrics.failed.now.is_some())
    }

    /// Returns the totals of the listed requests.
    pub(super) fn listed_totals(&self) -> &SelectionTotals {
        if self.list.filter().is_empty() { &self.totals } else { &self.selected }
    }
}
