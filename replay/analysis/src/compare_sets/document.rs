//! The JSON form of [`SetComparison`], printed by `zerver diff --a .. --b .. --json`. Its fields are documented and
//! stable; more may be added.

use serde::Serialize;

use super::flow_comparison::FlowComparison;
use super::measurement::{ChangeMeasure, ChangeSubject};
use super::set_change::SetChange;
use super::set_comparison::{FALSE_DISCOVERY_RATE, SetComparison, SetPeriod};
use crate::rfc3339;

/// Two sets of requests compared, as a JSON document.
#[derive(Debug, Clone, Serialize)]
pub struct SetComparisonJson {
    /// `changed`, `unchanged`, or `incomplete` if there are too few requests for a test.
    verdict: &'static str,
    a: SetJson,
    b: SetJson,
    /// Requests that both queries selected. They count in the smaller set only.
    shared: usize,
    tests: usize,
    false_discovery_rate: f64,
    flows: Vec<FlowJson>,
    /// Flows that only one of the sets has.
    unmatched: Vec<FlowJson>,
}

#[derive(Debug, Clone, Serialize)]
struct SetJson {
    query: String,
    requests: usize,
    first_at: Option<String>,
    last_at: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct FlowJson {
    flow: String,
    requests: Pair<usize>,
    /// Requests whose steps, effects and fields were compared.
    sampled: Pair<usize>,
    /// Requests nearest the median of each set.
    examples: Pair<Option<String>>,
    changed: bool,
    tested: bool,
    took: Option<RowJson>,
    rows: Vec<RowJson>,
}

#[derive(Debug, Clone, Serialize)]
struct Pair<T> {
    a: T,
    b: T,
}

#[derive(Debug, Clone, Serialize)]
struct RowJson {
    measure: &'static str,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The value whose share is compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Percentile that `a` and `b` are; omitted for shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    percentile: Option<u8>,
    a: f64,
    b: f64,
    difference: f64,
    /// 95 % interval of the difference.
    interval: Option<[f64; 2]>,
    requests: Pair<usize>,
    changed: bool,
    p_value: Option<f64>,
    adjusted_p: Option<f64>,
    variance_inflation: Option<f64>,
}

impl SetComparisonJson {
    /// Creates the document. The queries are as the user wrote them.
    pub fn new(comparison: &SetComparison, query_a: &str, query_b: &str) -> Self {
        let verdict = match (comparison.has_changed(), comparison.is_tested()) {
            (true, _) => "changed",
            (false, true) => "unchanged",
            (false, false) => "incomplete",
        };
        Self {
            verdict,
            a: set(&comparison.a, query_a),
            b: set(&comparison.b, query_b),
            shared: comparison.shared,
            tests: comparison.tests,
            false_discovery_rate: FALSE_DISCOVERY_RATE,
            flows: comparison.flows.iter().map(flow).collect(),
            unmatched: comparison.unmatched.iter().map(flow).collect(),
        }
    }
}

fn set(set: &SetPeriod, query: &str) -> SetJson {
    let time = |unix_ns| (set.requests > 0).then(|| rfc3339(unix_ns));
    SetJson {
        query: query.to_owned(),
        requests: set.requests,
        first_at: time(set.first_unix_ns),
        last_at: time(set.last_unix_ns),
    }
}

fn flow(flow: &FlowComparison) -> FlowJson {
    FlowJson {
        flow: flow.flow.clone(),
        requests: Pair { a: flow.requests_a, b: flow.requests_b },
        sampled: Pair { a: flow.traces_a, b: flow.traces_b },
        examples: Pair {
            a: flow.example_a.map(|id| id.to_string()),
            b: flow.example_b.map(|id| id.to_string()),
        },
        changed: flow.has_changed(),
        tested: flow.is_tested(),
        took: flow.took.as_ref().map(row),
        rows: flow.rows.iter().map(row).collect(),
    }
}

fn row(row: &SetChange) -> RowJson {
    let (step, effect, field) = match &row.subject {
        ChangeSubject::Request => (None, None, None),
        ChangeSubject::Step(step) => (Some(step.clone()), None, None),
        ChangeSubject::Effect { step, what } => (Some(step.clone()), Some(what.clone()), None),
        ChangeSubject::Field(field) => (None, None, Some(field.clone())),
    };
    let unit = if row.measure.is_duration() {
        "ns"
    } else if row.measure.is_share() {
        "share"
    } else {
        "number"
    };
    let value = match &row.measure {
        ChangeMeasure::HasValue(value) => Some(value.clone()),
        _ => None,
    };
    RowJson {
        measure: row.measure.as_str(),
        unit,
        step,
        effect,
        field,
        value,
        percentile: row.percentile,
        a: row.a,
        b: row.b,
        difference: row.difference(),
        interval: row.interval.map(|(low, high)| [low, high]),
        requests: Pair { a: row.requests_a, b: row.requests_b },
        changed: row.is_found(),
        p_value: row.test.map(|test| test.p_value),
        adjusted_p: row.test.map(|test| test.adjusted_p),
        variance_inflation: row.test.map(|test| test.variance_inflation),
    }
}
