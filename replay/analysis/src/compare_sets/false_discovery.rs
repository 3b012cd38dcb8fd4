//! Control of the share of false discoveries among many tests.

/// Returns the adjusted p-value of each test: the smallest expected share of false discoveries at which the test counts
/// as a discovery. The method is that of Benjamini and Hochberg, in the form of Benjamini and Yekutieli (2001), which
/// holds for tests that depend on each other: a slow effect makes its step and its request slow.
pub(super) fn adjusted(p_values: &[f64]) -> Vec<f64> {
    let count = p_values.len() as f64;
    let harmonic: f64 = (1..=p_values.len()).map(|n| 1.0 / n as f64).sum();
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*b].total_cmp(&p_values[*a]));
    let (mut adjusted, mut least) = (vec![1.0; p_values.len()], 1.0_f64);
    for (larger, at) in order.into_iter().enumerate() {
        least = least.min(p_values[at] * harmonic * count / (count - larger as f64));
        adjusted[at] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_adjusted() {
        // By hand: the values of Benjamini and Hochberg times 1 + 1/2 + 1/3 + 1/4 + 1/5.
        let found = adjusted(&[0.01, 0.04, 0.03, 0.005, 0.5]);
        let harmonic = 137.0 / 60.0;
        let wanted = [0.025, 0.05, 0.05, 0.025, 0.5].map(|p: f64| (p * harmonic).min(1.0));
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        }
        assert!(adjusted(&[]).is_empty());
        assert_eq!(adjusted(&[1.0, 1.0]), [1.0, 1.0]);
    }
}
