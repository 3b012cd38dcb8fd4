//! Comparison of one measure of two sets.

use super::dependence::{Dependence, dependence};
use super::measurement::{ChangeMeasure, ChangeSubject};
use super::median_interval::{MedianInterval, difference, value_at};
use super::rank_test::{doubled_ranks, least_p, rank_test};
use super::samples::Samples;
use super::set_comparison::FALSE_DISCOVERY_RATE;
use super::share_test::{Share, fisher_test, share_difference};

/// Percentiles of which the first one that differs is shown.
const PERCENTILES: [u8; 5] = [50, 75, 90, 95, 99];
/// Minimum number of requests of both sets for a comparison of the slowest.
const MIN_SLOWEST: usize = 40;

/// A measure of two sets, compared. Durations are in nanoseconds, and shares from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct SetChange {
    /// Part of the requests.
    pub subject: ChangeSubject,
    /// Measure of that part.
    pub measure: ChangeMeasure,
    /// Percentile that the values are; `None` for shares. It is the median, unless the medians are equal and the
    /// distributions differ elsewhere.
    pub percentile: Option<u8>,
    /// Value in the first set.
    pub a: f64,
    /// Value in the second set.
    pub b: f64,
    /// Number of requests in the first set that have the part.
    pub requests_a: usize,
    /// Number of requests in the second set that have the part.
    pub requests_b: usize,
    /// 95 % interval of the difference of medians or shares; `None` if there are too few requests for one, or if another
    /// percentile is shown.
    pub interval: Option<(f64, f64)>,
    /// Result of the test; `None` if there are too few requests for one.
    pub test: Option<TestedChange>,
}

/// Result of a test of the hypothesis that nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TestedChange {
    /// Probability of a difference at least as large if nothing has changed, taking the dependence of requests into
    /// account.
    pub p_value: f64,
    /// The p-value, adjusted for the number of tests.
    pub adjusted_p: f64,
    /// Factor by which dependence of requests on those before them has increased the variance.
    pub variance_inflation: f64,
}

impl SetChange {
    /// Returns the difference of the values, positive if the second set has more.
    pub fn difference(&self) -> f64 {
        self.b - self.a
    }

    /// Returns true if the test found a change.
    pub fn is_found(&self) -> bool {
        self.test.is_some_and(|test| test.adjusted_p <= FALSE_DISCOVERY_RATE)
    }

    /// Compares two samples. Returns `None` if no request has the part, or if all of them are alike.
    pub(super) fn of(subject: ChangeSubject, measure: ChangeMeasure, samples: &Samples) -> Option<Self> {
        match samples {
            Samples::Amounts([a, b]) => Self::of_amounts(subject, measure, a, b),
            Samples::Shares([a, b]) => Self::of_shares(subject, measure, a, b),
        }
    }

    fn of_amounts(subject: ChangeSubject, measure: ChangeMeasure, a: &[f64], b: &[f64]) -> Option<Self> {
        let first = a.first().or(b.first())?;
        let are_alike = a.iter().chain(b).all(|value| value == first);
        // The whole duration is always shown.
        if are_alike && measure != ChangeMeasure::Took {
            return None;
        }
        let dependence = ranked_dependence(a, b);
        let test = (least_p(a.len(), b.len()) <= FALSE_DISCOVERY_RATE)
            .then(|| rank_test(a, b))
            .flatten()
            .map(|p| TestedChange::new(p, dependence));
        let [sorted_a, sorted_b] = [a, b].map(sorted);
        let at = |percent| (value_at(&sorted_a, percent), value_at(&sorted_b, percent));
        let differs = |percent: &u8| at(*percent).0 != at(*percent).1;
        let percentile = PERCENTILES.into_iter().find(differs).unwrap_or(50);
        let medians = (
            MedianInterval::of(&sorted_a, dependence.variance_inflation),
            MedianInterval::of(&sorted_b, dependence.variance_inflation),
        );
        let interval = match medians {
            (Some(a), Some(b)) if percentile == 50 => Some(difference(a, b)),
            _ => None,
        };
        let (value_a, value_b) = at(percentile);
        Some(Self {
            subject,
            measure,
            percentile: Some(percentile),
            a: value_a,
            b: value_b,
            requests_a: a.len(),
            requests_b: b.len(),
            interval,
            test,
        })
    }

    fn of_shares(subject: ChangeSubject, measure: ChangeMeasure, a: &[bool], b: &[bool]) -> Option<Self> {
        let (share_a, share_b) = (share(a), share(b));
        let count = share_a.count + share_b.count;
        if count == 0 || count == share_a.of + share_b.of {
            return None;
        }
        let dependence = share_dependence(a, b);
        let can_be_tested = !a.is_empty() && !b.is_empty();
        let test = can_be_tested.then(|| TestedChange::new(fisher_test(share_a, share_b), dependence));
        Some(Self {
            subject,
            measure,
            percentile: None,
            a: share_a.value(),
            b: share_b.value(),
            requests_a: a.len(),
            requests_b: b.len(),
            interval: can_be_tested
                .then(|| share_difference(share_a, share_b, dependence.variance_inflation)),
            test,
        })
    }

    /// Compares the slowest requests: the shares of both sets that exceed their common 95th percentile.
    pub(super) fn of_slowest(a: &[f64], b: &[f64]) -> Option<Self> {
        if a.is_empty() || b.is_empty() || a.len() + b.len() < MIN_SLOWEST {
            return None;
        }
        let both: Vec<f64> = a.iter().chain(b).copied().collect();
        let limit = value_at(&sorted(&both), 95);
        let [is_slow_a, is_slow_b] =
            [a, b].map(|set| set.iter().map(|value| *value > limit).collect::<Vec<_>>());
        let compared =
            Self::of_shares(ChangeSubject::Request, ChangeMeasure::Slowest, &is_slow_a, &is_slow_b)?;
        let at = |set: &[f64]| value_at(&sorted(set), 95);
        Some(Self { percentile: Some(95), a: at(a), b: at(b), interval: None, ..compared })
    }
}

impl TestedChange {
    fn new(p: f64, dependence: Dependence) -> Self {
        let p_value = dependence.corrected_p(p);
        Self { p_value, adjusted_p: p_value, variance_inflation: dependence.variance_inflation }
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

fn share(set: &[bool]) -> Share {
    Share { count: set.iter().filter(|counts| **counts).count() as u64, of: set.len() as u64 }
}

fn ranked_dependence(a: &[f64], b: &[f64]) -> Dependence {
    let ranks: Vec<f64> = doubled_ranks(a, b).into_iter().map(|rank| rank as f64).collect();
    let (a, b) = ranks.split_at(a.len());
    dependence([a, b])
}

fn share_dependence(a: &[bool], b: &[bool]) -> Dependence {
    let [a, b] = [a, b].map(|set| set.iter().map(|counts| f64::from(u8::from(*counts))).collect::<Vec<_>>());
    dependence([&a, &b])
}
