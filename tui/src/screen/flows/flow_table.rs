//! The flows with their requests, errors and durations, within a window of time.

use zerver_analysis::{FlowOrder, FlowSummary};
use zerver_trace::{CatalogFlow, duration};

use crate::index::{FlowTotal, FlowTotals, RequestIndex, SCAN_CHUNK, Seq};

const MINUTE_NS: u64 = 60_000_000_000;
/// Time by which a request may appear in the list before one that began earlier.
const DISORDER_NS: u64 = MINUTE_NS;
/// Age from which a window that ends now is counted again when requests arrive.
const REFRESH_NS: u64 = 5_000_000_000;
/// Orders, in the order in which a key selects them.
const ORDERS: [FlowOrder; 5] =
    [FlowOrder::Share, FlowOrder::P99, FlowOrder::Errors, FlowOrder::Requests, FlowOrder::Flow];

/// Window of time before now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Window {
    /// All requests.
    #[default]
    All,
    /// The last minutes, compared with as many minutes before them.
    Minutes(u16),
}

impl Window {
    const fn next(self) -> Self {
        match self {
            Self::All => Self::Minutes(10),
            Self::Minutes(10) => Self::Minutes(60),
            Self::Minutes(60) => Self::Minutes(24 * 60),
            Self::Minutes(_) => Self::All,
        }
    }

    fn len_ns(self) -> Option<u64> {
        match self {
            Self::All => None,
            Self::Minutes(minutes) => Some(u64::from(minutes) * MINUTE_NS),
        }
    }

    /// Returns the window in words.
    const fn name(self) -> Option<&'static str> {
        match self {
            Self::All => None,
            Self::Minutes(10) => Some("10 minutes"),
            Self::Minutes(60) => Some("hour"),
            Self::Minutes(_) => Some("24 hours"),
        }
    }

    /// Returns the term of a query that selects the window.
    pub(super) const fn term(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Minutes(10) => " since:10m",
            Self::Minutes(60) => " since:1h",
            Self::Minutes(_) => " since:1d",
        }
    }
}

/// The table. It counts requests in turns, so that keys never wait.
#[derive(Debug, Default)]
pub(super) struct FlowTable {
    pub(super) window: Window,
    pub(super) order: FlowOrder,
    /// Rows in order. Flows without requests are last.
    pub(super) rows: Vec<FlowSummary>,
    /// Numbers of the flows in the index; `None` for flows without requests.
    numbers: Vec<Option<u16>>,
    current: FlowTotals,
    /// Requests of the window before.
    previous: FlowTotals,
    /// Range of requests that were counted; `None` before the first turn.
    counted: Option<(Seq, Seq)>,
    /// True if no older request is in a window.
    is_complete: bool,
    /// End of the window.
    now_unix_ns: u64,
}

impl FlowTable {
    /// Selects the next window, which [`FlowTable::count`] then counts.
    pub(super) fn next_window(&mut self) {
        self.window = self.window.next();
        self.restart();
    }

    pub(super) fn next_order(&mut self) {
        let at = ORDERS.iter().position(|order| *order == self.order).unwrap_or(0);
        // A change is only known if there is a window before.
        self.order = match (self.order, self.window) {
            (FlowOrder::Share, Window::Minutes(_)) => FlowOrder::Change,
            (FlowOrder::Change, _) => ORDERS[1],
            _ => ORDERS[(at + 1) % ORDERS.len()],
        };
    }

    /// Counts all requests again.
    pub(super) fn restart(&mut self) {
        let Self { window, order, .. } = *self;
        let rows = std::mem::take(&mut self.rows);
        let numbers = std::mem::take(&mut self.numbers);
        let order =
            if window == Window::All && order == FlowOrder::Change { FlowOrder::Share } else { order };
        *self = Self { window, order, rows, numbers, ..Self::default() };
    }

    /// Counts requests that were not counted yet: all new ones, and some older ones. Returns true if there are more.
    pub(super) fn count(&mut self, index: &RequestIndex, now_unix_ns: u64) -> bool {
        let range = index.range();
        // The index was renumbered, or the window has moved on.
        let is_stale = self.counted.is_some_and(|(first, end)| first < range.start || end > range.end)
            || self.window != Window::All
                && self.is_complete
                && now_unix_ns.saturating_sub(self.now_unix_ns) > REFRESH_NS;
        if is_stale {
            self.restart();
        }
        if self.counted.is_none() {
            self.now_unix_ns = now_unix_ns;
        }
        let (first, end) = self.counted.unwrap_or((range.end, range.end));
        for seq in end..range.end {
            self.add(seq, index);
        }
        let mut reached = first;
        let last = range.start.max(first.saturating_sub(SCAN_CHUNK as Seq));
        while reached > last && !self.is_complete {
            reached -= 1;
            self.add(reached, index);
        }
        self.counted = Some((reached, range.end));
        self.is_complete |= reached == range.start && index.is_complete();
        !self.is_complete && reached > range.start
    }

    fn add(&mut self, seq: Seq, index: &RequestIndex) {
        let Some(row) = index.row(seq) else { return };
        let Some(len_ns) = self.window.len_ns() else { return self.current.add(&row) };
        let since = self.now_unix_ns.saturating_sub(len_ns);
        if row.started_unix_ns >= since {
            self.current.add(&row);
        } else if row.started_unix_ns >= since.saturating_sub(len_ns) {
            self.previous.add(&row);
        } else if row.started_unix_ns.saturating_add(DISORDER_NS) < since.saturating_sub(len_ns) {
            self.is_complete = true;
        }
    }

    /// Makes the rows: of the flows with requests, and of those of the program.
    pub(super) fn settle(&mut self, index: &RequestIndex, known: &[CatalogFlow]) {
        let all_ns = self.current.time_ns();
        let span_s = self.current.span_ns() as f64 / 1e9;
        let mut rows: Vec<_> = self
            .current
            .iter()
            .map(|(number, total)| {
                let name = index.flow_name(number).to_owned();
                (self.summary(name, number, total, all_ns, span_s), Some(number))
            })
            .collect();
        for flow in known.iter().map(|entry| &entry.flow) {
            if !rows.iter().any(|(row, _)| row.flow == flow.name) {
                rows.push((FlowSummary { flow: flow.name.clone(), ..FlowSummary::default() }, None));
            }
        }
        rows.sort_by(|(a, _), (b, _)| {
            (a.requests == 0).cmp(&(b.requests == 0)).then(self.order.compare(a, b))
        });
        (self.rows, self.numbers) = rows.into_iter().unzip();
    }

    fn summary(
        &self,
        flow: String,
        number: u16,
        total: &FlowTotal,
        all_ns: u128,
        span_s: f64,
    ) -> FlowSummary {
        let quantile = |percent| total.durations.percentile(percent).unwrap_or(0);
        let before = self.previous.get(number).and_then(|before| before.durations.percentile(50));
        FlowSummary {
            flow,
            requests: total.requests,
            errors: total.errors,
            client_errors: total.client_errors,
            rate_per_s: (span_s > 0.0).then(|| total.requests as f64 / span_s),
            p50_ns: quantile(50),
            p95_ns: quantile(95),
            p99_ns: quantile(99),
            share: if all_ns == 0 { 0.0 } else { total.time_ns as f64 / all_ns as f64 },
            change: before
                .filter(|before| *before > 0)
                .map(|before| quantile(50) as f64 / before as f64 - 1.0),
            history: self.current.history(total),
        }
    }

    /// Returns the number of the flow in a row, if it has requests.
    pub(super) fn number(&self, row: usize) -> Option<u16> {
        self.numbers.get(row).copied().flatten()
    }

    /// Describes what was counted: `last 10 minutes, 1,204 requests, change against the 10 minutes before`.
    pub(super) fn title(&self) -> String {
        let count = self.current.requests();
        let plus = if self.is_complete { "" } else { "+" };
        let requests = format!("{count}{plus} request{}", if count == 1 { "" } else { "s" });
        match self.window.name() {
            None => match (count, self.current.span_ns()) {
                (0, _) => "flows".to_owned(),
                (_, 0) => format!("flows: {requests}"),
                (_, span_ns) => format!("flows: {requests} in {}", duration::show(span_ns)),
            },
            Some(name) => format!("flows: last {name}, {requests}; change against the {name} before"),
        }
    }

    pub(super) fn has_change(&self) -> bool {
        self.window != Window::All
    }
}
