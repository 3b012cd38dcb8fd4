//! Comparison of two sets of requests, flow by flow.

use zerver_trace::Summary;

use super::false_discovery::adjusted;
use super::flow_comparison::FlowComparison;
use super::measurement::{ChangeMeasure, ChangeSubject};
use super::set_change::SetChange;

/// Expected share of false discoveries among the changes that a comparison reports.
pub const FALSE_DISCOVERY_RATE: f64 = 0.01;

/// Two sets of requests, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct SetComparison {
    /// Period of the first set.
    pub a: SetPeriod,
    /// Period of the second set.
    pub b: SetPeriod,
    /// Number of requests that both queries selected, and that count in the smaller set only.
    pub shared: usize,
    /// Flows of both sets: those that changed first, by the time that the change costs all requests together.
    pub flows: Vec<FlowComparison>,
    /// Flows that only one of the sets has.
    pub unmatched: Vec<FlowComparison>,
    /// Number of tests.
    pub tests: usize,
}

/// Number of requests of a set, and when they arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetPeriod {
    /// Number of requests.
    pub requests: usize,
    /// Arrival of the first one, in nanoseconds since the Unix epoch.
    pub first_unix_ns: u64,
    /// Arrival of the last one, in nanoseconds since the Unix epoch.
    pub last_unix_ns: u64,
}

impl SetPeriod {
    fn of(requests: &[Summary]) -> Self {
        let arrivals = || requests.iter().map(|request| request.started_unix_ns);
        Self {
            requests: requests.len(),
            first_unix_ns: arrivals().min().unwrap_or(0),
            last_unix_ns: arrivals().max().unwrap_or(0),
        }
    }
}

impl SetComparison {
    /// Decides what has changed, over the tests of all flows together. `a` and `b` are the whole sets.
    pub fn of(a: &[Summary], b: &[Summary], shared: usize, flows: Vec<FlowComparison>) -> Self {
        let (mut flows, unmatched): (Vec<_>, Vec<_>) =
            flows.into_iter().partition(|flow| flow.requests_a > 0 && flow.requests_b > 0);
        let tests = adjust(&mut flows);
        for flow in &mut flows {
            flow.rows.sort_by(|a, b| order(a).cmp(&order(b)).then(size(b).total_cmp(&size(a))));
        }
        flows.sort_by(|a, b| b.has_changed().cmp(&a.has_changed()).then(b.weight().total_cmp(&a.weight())));
        Self { a: SetPeriod::of(a), b: SetPeriod::of(b), shared, flows, unmatched, tests }
    }

    /// Returns true if a test found a change.
    pub fn has_changed(&self) -> bool {
        self.flows.iter().any(FlowComparison::has_changed)
    }

    /// Returns true if there were enough requests of some flow for tests.
    pub fn is_tested(&self) -> bool {
        self.flows.iter().any(FlowComparison::is_tested)
    }
}

/// Adjusts the p-values for the number of tests, and returns it.
fn adjust(flows: &mut [FlowComparison]) -> usize {
    let rows = || flows.iter().flat_map(FlowComparison::all_rows);
    let p_values: Vec<f64> = rows().filter_map(|row| Some(row.test?.p_value)).collect();
    let mut adjusted = adjusted(&p_values).into_iter();
    for row in flows.iter_mut().flat_map(|flow| flow.took.iter_mut().chain(&mut flow.rows)) {
        if let Some(test) = &mut row.test
            && let Some(adjusted_p) = adjusted.next()
        {
            test.adjusted_p = adjusted_p;
        }
    }
    p_values.len()
}

/// Returns the position of a group of rows: times, shares, numbers of calls, and fields.
fn order(row: &SetChange) -> u8 {
    match (&row.subject, &row.measure) {
        (ChangeSubject::Field(_), _) => 3,
        (_, ChangeMeasure::Calls) => 2,
        (_, measure) if measure.is_duration() => 0,
        _ => 1,
    }
}

/// Returns the size of a change within its group. Fields have no common unit, so the surest come first.
fn size(row: &SetChange) -> f64 {
    match (&row.subject, row.test) {
        (ChangeSubject::Field(_), Some(test)) => -test.p_value,
        (ChangeSubject::Field(_), None) => -1.0,
        _ => row.difference().abs(),
    }
}
