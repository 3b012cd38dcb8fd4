//! The dependence of requests on those before them.
//!
//! Requests that follow each other resemble each other: a busy minute slows all of them. A test that takes them for
//! independent finds differences that are none. The variance of the means of batches shows how much more a mean varies
//! than it would if the requests were independent.

use super::normal_distribution::{deviation, two_sided_p};

/// Minimum number of values for an estimate, which then has ten batches. An estimate from fewer would be so uncertain that
/// no change could be found.
const MIN_VALUES: usize = 100;

/// Dependence of the requests of two sets on those before them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dependence {
    /// Factor by which the variance of a mean exceeds that of independent values, at least 1.
    pub(super) variance_inflation: f64,
    /// Degrees of freedom of the estimate.
    degrees: f64,
}

impl Dependence {
    /// Returns the p-value of a test that takes the requests for independent, corrected for their dependence.
    pub(super) fn corrected_p(self, p: f64) -> f64 {
        if self.variance_inflation <= 1.0 {
            return p;
        }
        // The variance is an estimate, so that the deviation follows the distribution of Student: here its normal
        // approximation.
        let t = deviation(p) / self.variance_inflation.sqrt();
        two_sided_p(t * (1.0 - 0.25 / self.degrees) / (1.0 + t * t / (2.0 * self.degrees)).sqrt())
    }
}

/// Estimates the dependence in two series, each in the order of time. Dependence over more than the square root of the
/// length of a series remains unseen.
pub(super) fn dependence(series: [&[f64]; 2]) -> Dependence {
    let (mut weighted, mut weights) = (0.0, 0.0);
    for values in series {
        if let Some((ratio, degrees)) = batch_means(values) {
            weighted += ratio * degrees;
            weights += degrees;
        }
    }
    let variance_inflation = if weights > 0.0 { (weighted / weights).max(1.0) } else { 1.0 };
    Dependence { variance_inflation, degrees: weights.max(1.0) }
}

/// Returns the variance of the means of batches relative to that of independent values, and its degrees of freedom.
fn batch_means(values: &[f64]) -> Option<(f64, f64)> {
    if values.len() < MIN_VALUES {
        return None;
    }
    let batches = (values.len() as f64).sqrt() as usize;
    let len = values.len() / batches;
    let used = &values[..batches * len];
    let whole = variance(used);
    let means: Vec<f64> =
        used.chunks_exact(len).map(|batch| batch.iter().sum::<f64>() / len as f64).collect();
    (whole > 0.0).then(|| (variance(&means) * len as f64 / whole, batches as f64 - 1.0))
}

fn variance(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (count - 1.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare_sets::tests::SplitMix;

    #[test]
    fn independent_values_need_no_correction() {
        let mut random = SplitMix(7);
        let mut sum = 0.0;
        for _ in 0..200 {
            let values: Vec<f64> = (0..900).map(|_| random.uniform()).collect();
            sum += dependence([&values, &values]).variance_inflation;
        }
        assert!((1.0..1.25).contains(&(sum / 200.0)), "{}", sum / 200.0);
        assert_eq!(dependence([&[1.0; 100], &[1.0; 100]]).variance_inflation, 1.0);
        assert_eq!(dependence([&[1.0, 2.0], &[]]).variance_inflation, 1.0);
    }

    #[test]
    fn runs_of_equal_values_count_less() {
        let mut random = SplitMix(7);
        let runs: Vec<f64> = (0..100).flat_map(|_| [random.uniform(); 10]).collect();
        // Ten equal values carry as much information as one.
        let found = dependence([&runs, &runs]).variance_inflation;
        assert!((4.0..16.0).contains(&found), "{found}");
    }

    #[test]
    fn more_variance_makes_a_deviation_less_significant() {
        let of = |variance_inflation| Dependence { variance_inflation, degrees: 1e9 };
        assert_eq!(of(1.0).corrected_p(0.01), 0.01);
        // By hand: twice the standard error halves the deviation.
        assert!((of(4.0).corrected_p(two_sided_p(4.0)) - two_sided_p(2.0)).abs() < 1e-6);
        // Tables of Student's distribution: with 30 degrees of freedom, 2.042 is exceeded by 5 %.
        let few = Dependence { variance_inflation: 4.0, degrees: 30.0 };
        assert!((few.corrected_p(two_sided_p(4.084)) - 0.05).abs() < 1e-3);
    }
}
