//! Numbers of listed requests, for the line above the list.

use zerver_trace::is_client_error;

use super::histogram::Histogram;
use super::request_index::RequestRow;

/// Totals of a selection of requests.
#[derive(Debug, Default)]
pub(crate) struct SelectionTotals {
    /// Failures, without those whose status is 4xx.
    errors: u64,
    client_errors: u64,
    durations: Histogram,
    /// Starts of the first and of the last request.
    span_unix_ns: Option<(u64, u64)>,
}

impl SelectionTotals {
    pub(crate) fn add(&mut self, row: &RequestRow<'_>) {
        self.errors += u64::from(row.is_error());
        self.client_errors += u64::from(is_client_error(row.status));
        self.durations.add(row.duration_ns);
        let start = row.started_unix_ns;
        self.span_unix_ns = Some(
            self.span_unix_ns.map_or((start, start), |(first, last)| (first.min(start), last.max(start))),
        );
    }

    /// Returns the time between the first and the last start.
    pub(crate) fn span_ns(&self) -> u64 {
        self.span_unix_ns.map_or(0, |(first, last)| last - first)
    }

    /// Returns the number of requests per second; `None` if they all started at once.
    pub(crate) fn rate_per_s(&self) -> Option<f64> {
        let span_ns = self.span_ns();
        (span_ns > 0).then(|| self.durations.count() as f64 / (span_ns as f64 / 1e9))
    }

    pub(crate) fn percentile(&self, percent: u64) -> Option<u64> {
        self.durations.percentile(percent)
    }

    /// Returns the share of failures in percent, rounded up, without 4xx; `None` without requests.
    pub(crate) fn failed_percent(&self) -> Option<u64> {
        self.percent(self.errors)
    }

    /// Returns the share of responses with 4xx in percent, rounded up; `None` without requests.
    pub(crate) fn client_error_percent(&self) -> Option<u64> {
        self.percent(self.client_errors)
    }

    fn percent(&self, part: u64) -> Option<u64> {
        let count = self.durations.count();
        (count > 0).then(|| (part * 100).div_ceil(count))
    }
}
