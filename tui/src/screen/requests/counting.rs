//! Counting of requests as they arrive: rates of all and of the listed requests, and baselines of the flows.

use super::state::RequestsScreen;
use crate::index::{Metrics, SCAN_CHUNK};
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
                self.selected.add(&row, shared.now_unix_ns);
            }
        }
        self.selected.settle();
    }

    /// Returns the metrics of the listed requests.
    pub(super) fn metrics(&self, now_unix_ns: u64) -> Metrics {
        let rates = if self.list.filter().is_empty() { &self.rates } else { &self.selected };
        rates.metrics(now_unix_ns)
    }
}
