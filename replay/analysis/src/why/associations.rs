//! Which fields go with slowness. A field of numbers with more than a few values is ranked against the durations; a
//! field with few values divides the requests into groups, whose slowest is compared with the rest. What chance could
//! well do is not told: with fields that say nothing, a thousand of them yield less than one finding.
//!
//! That a field goes with slowness does not say that it causes it.

use std::collections::{BTreeMap, BTreeSet};

use super::MIN_POPULATION;
use super::fields::{Fields, Scalar};
use super::rank_statistics::{correlation, rank_sum};
use crate::median;

/// A field with more values divides the requests into no groups.
const MAX_GROUPS: usize = 8;
/// A smaller group has no typical duration.
const MIN_GROUP: usize = 5;
/// So many standard deviations from what chance would have are needed: two-sided, one in two thousand.
const MIN_DEVIATIONS: f64 = 3.5;
/// So many findings are told.
const MAX_FINDINGS: usize = 20;

/// A field that goes with slowness.
#[derive(Debug, Clone, PartialEq)]
pub struct Association {
    /// `query latency_ms`, `Todo.title`, `Todos.len`.
    pub field: String,
    /// What it holds in this request; none where it is absent.
    pub value: Option<String>,
    /// How it goes with slowness.
    pub correlation: Correlation,
    /// How many requests it was seen in.
    pub requests: usize,
    /// How closely, from 0 to 1.
    pub strength: f64,
}

/// How a field goes with slowness.
#[derive(Debug, Clone, PartialEq)]
pub enum Correlation {
    /// Spearman's rank correlation with the duration: 1 means that more is always slower.
    Rank(f64),
    /// The durations of requests with equal values, the slowest group first.
    Groups(Vec<ValueGroup>),
}

/// Requests with one value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueGroup {
    /// The value; none where the field is absent.
    pub value: Option<String>,
    /// How many they are.
    pub requests: usize,
    /// How long half of them took at most.
    pub median_ns: u64,
}

/// What goes with slowness, the closest first, and how many fields were looked at. The first request is the one that
/// it is about.
pub(super) fn findings(requests: &[Fields], durations_ns: &[u64]) -> (Vec<Association>, usize) {
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
        // A group with the greatest median, and otherwise fast, is no finding.
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
    // What came with the request is upstream of what its steps made of it.
    let is_slot = |finding: &Association| !finding.field.contains(' ');
    findings.sort_by(|a, b| {
        let strength = |finding: &Association| (finding.strength * 1e6) as i64;
        strength(b).cmp(&strength(a)).then(is_slot(a).cmp(&is_slot(b)))
    });
    findings.truncate(MAX_FINDINGS);
    (findings, looked_at)
}

type Found = (Correlation, f64, usize);

/// None where the field does not hold enough different numbers.
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
    // Without a link, its standard deviation is 1 / sqrt(n - 1).
    Some((Correlation::Rank(correlation), correlation * (n as f64 - 1.0).sqrt(), n))
}

/// None where there are not at least two groups of some size, or too many.
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
