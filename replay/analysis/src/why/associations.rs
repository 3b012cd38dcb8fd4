//! Finds fields that correlate with latency.
//!
//! A numeric field with more than a few values is ranked against the durations. A field with few values divides the
//! requests into groups, and the slowest group is compared with the rest. Correlations that chance explains are left
//! out: a thousand fields without any relation yield less than one finding.
//!
//! A correlation does not prove a cause.

use std::collections::{BTreeMap, BTreeSet};

use super::MIN_POPULATION;
use super::fields::{Fields, Scalar};
use super::rank_statistics::{correlation, rank_sum};
use crate::median;

/// Maximum number of distinct values for grouping.
const MAX_GROUPS: usize = 8;
/// Minimum size of a group.
const MIN_GROUP: usize = 5;
/// Minimum deviation from chance, in standard deviations: two-sided, one in two thousand.
const MIN_DEVIATIONS: f64 = 3.5;
/// Maximum number of findings.
const MAX_FINDINGS: usize = 20;

/// A field that correlates with latency.
#[derive(Debug, Clone, PartialEq)]
pub struct Association {
    /// Name of the field: `query latency_ms`, `Todo.title`, `Todos.len`.
    pub field: String,
    /// Value in this request; `None` if the field is absent.
    pub value: Option<String>,
    /// Correlation of the field with latency.
    pub correlation: Correlation,
    /// Number of requests with the field.
    pub requests: usize,
    /// Strength of the correlation, from 0 to 1.
    pub strength: f64,
}

/// Correlation of a field with latency.
#[derive(Debug, Clone, PartialEq)]
pub enum Correlation {
    /// Spearman's rank correlation with the duration: 1 means that more is always slower.
    Rank(f64),
    /// Durations of requests with equal values, the slowest group first.
    Groups(Vec<ValueGroup>),
}

/// Requests with the same value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueGroup {
    /// Value; `None` for requests without the field.
    pub value: Option<String>,
    /// Number of requests.
    pub requests: usize,
    /// Median duration, in nanoseconds.
    pub median_ns: u64,
}

/// Returns the fields that correlate with latency, the strongest first, and the number of fields examined. The first
/// request is the one to explain.
pub(super) fn associations(requests: &[Fields], durations_ns: &[u64]) -> (Vec<Association>, usize) {
    let names: BTreeSet<&String> = requests.iter().flat_map(BTreeMap::keys).collect();
    let mut looked_at = 0;
    let mut findings = Vec::new();
    for name in names {
        let values: Vec<Option<&Scalar>> = requests.iter().map(|fields| fields.get(name)).collect();
        let Some(found) = ranked(&values, durations_ns).or_else(|| grouped(&values, durations_ns)) else {
            continue;
        };
        looked_at += 1;
        let (link, deviations, n) = found;
        // A group with the greatest median that is fast otherwise is no finding.
        let size = if matches!(link, Correlation::Rank(_)) { deviations.abs() } else { deviations };
        if size >= MIN_DEVIATIONS {
            let strength = size / (n as f64 - 1.0).max(1.0).sqrt();
            let here = values.first().copied().flatten().map(Scalar::show);
            findings.push(Association {
                field: name.clone(),
                value: here,
                correlation: link,
                requests: n,
                strength: strength.min(1.0),
            });
        }
    }
    // Fields of the request come before fields of slots, which are computed from it.
    let is_slot = |finding: &Association| !finding.field.contains(' ');
    findings.sort_by(|a, b| {
        let strength = |finding: &Association| (finding.strength * 1e6) as i64;
        strength(b).cmp(&strength(a)).then(is_slot(a).cmp(&is_slot(b)))
    });
    findings.truncate(MAX_FINDINGS);
    (findings, looked_at)
}

type Found = (Correlation, f64, usize);

/// Ranks a numeric field. Returns `None` if it has too few different numbers.
fn ranked(values: &[Option<&Scalar>], durations_ns: &[u64]) -> Option<Found> {
    let (mut numbers, mut durations) = (Vec::new(), Vec::new());
    for (value, duration_ns) in values.iter().zip(durations_ns) {
        match value {
            Some(Scalar::Number(number, _)) => {
                numbers.push(*number);
                durations.push(*duration_ns as f64);
            }
            Some(Scalar::Text(_)) => return None,
            None => {}
        }
    }
    let mut distinct = numbers.clone();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup_by_key(|number| number.to_bits());
    if numbers.len() < MIN_POPULATION || distinct.len() < 3 {
        return None;
    }
    let correlation = correlation(&numbers, &durations);
    let n = numbers.len();
    // Without a correlation, the standard deviation is 1 / sqrt(n - 1).
    Some((Correlation::Rank(correlation), correlation * (n as f64 - 1.0).sqrt(), n))
}

/// Groups requests by a field. Returns `None` if there are fewer than two large groups, or too many.
fn grouped(values: &[Option<&Scalar>], durations_ns: &[u64]) -> Option<Found> {
    let mut members: BTreeMap<Option<String>, Vec<u64>> = BTreeMap::new();
    for (value, duration_ns) in values.iter().zip(durations_ns) {
        members.entry(value.map(Scalar::show)).or_default().push(*duration_ns);
        if members.len() > MAX_GROUPS {
            return None;
        }
    }
    let mut groups: Vec<ValueGroup> = members
        .into_iter()
        .map(|(value, of)| ValueGroup { value, requests: of.len(), median_ns: median(&of).unwrap_or(0) })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.median_ns));
    let is_large = |group: &&ValueGroup| group.requests >= MIN_GROUP;
    if groups.iter().filter(is_large).count() < 2 {
        return None;
    }
    let slowest = groups.iter().find(is_large)?.value.clone();
    let is_in: Vec<bool> = values.iter().map(|value| value.map(Scalar::show) == slowest).collect();
    let durations: Vec<f64> = durations_ns.iter().map(|ns| *ns as f64).collect();
    Some((Correlation::Groups(groups), rank_sum(&durations, &is_in), values.len()))
}
