//! Rank statistics. They assume no distribution, and a single outlier does not decide them.

/// Returns the rank of each value, from 1. Equal values share the mean of their ranks.
pub(super) fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let first = order.partition_point(|&at| values[at].total_cmp(&values[tied[0]]).is_lt()) as f64;
        let mean = first + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&at| ranks[at] = mean);
    }
    ranks
}

/// Returns Spearman's rank correlation, which is Pearson's of the ranks; 0 if one side does not vary.
pub(super) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 + 1.0) / 2.0;
    let sum =
        |f: &dyn Fn(f64, f64) -> f64| -> f64 { a.iter().zip(&b).map(|(a, b)| f(a - mean, b - mean)).sum() };
    let spread = sum(&|a, _| a * a) * sum(&|_, b| b * b);
    if spread > 0.0 { (sum(&|a, b| a * b) / spread.sqrt()).clamp(-1.0, 1.0) } else { 0.0 }
}

/// Returns how many standard deviations the ranks of a group lie above chance: the rank sum test of Mann and Whitney in
/// its normal approximation, corrected for ties; 0 if nothing can be concluded.
pub(super) fn rank_sum(values: &[f64], is_in: &[bool]) -> f64 {
    let ranks = ranks(values);
    let total = values.len() as f64;
    let inside = is_in.iter().filter(|is_in| **is_in).count() as f64;
    let sum: f64 = ranks.iter().zip(is_in).filter(|(_, is_in)| **is_in).map(|(rank, _)| rank).sum();
    let mut sorted = ranks.clone();
    sorted.sort_by(f64::total_cmp);
    let ties: f64 =
        sorted.chunk_by(|a, b| a == b).map(|tied| tied.len() as f64).map(|len| len * len * len - len).sum();
    let spread = inside * (total - inside) / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)).max(1.0));
    if spread > 0.0 { (sum - inside * (total + 1.0) / 2.0) / spread.sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_a_rank() {
        assert_eq!(ranks(&[30.0, 10.0, 20.0, 20.0]), [4.0, 1.0, 2.5, 2.5]);
        assert_eq!(ranks(&[]), [] as [f64; 0]);
    }

    #[test]
    fn correlation_uses_ranks() {
        let check = |a: &[f64], b: &[f64], wanted: f64| {
            assert!((correlation(a, b) - wanted).abs() < 1e-9, "{}", correlation(a, b));
        };
        check(&[1.0, 2.0, 3.0, 4.0], &[1.0, 10.0, 100.0, 1e9], 1.0);
        check(&[1.0, 2.0, 3.0, 4.0], &[4.0, 3.0, 2.0, 1.0], -1.0);
        // By hand: 1 - 6 * (1 + 1 + 1 + 1) / (4 * 15).
        check(&[1.0, 2.0, 3.0, 4.0], &[2.0, 1.0, 4.0, 3.0], 0.6);
        check(&[1.0, 1.0], &[1.0, 2.0], 0.0);
    }

    #[test]
    fn a_rank_sum_finds_a_slower_group() {
        let values: Vec<f64> = (0..20).map(f64::from).collect();
        let upper: Vec<bool> = (0..20).map(|n| n >= 10).collect();
        // By hand: (155 - 105) / sqrt(10 * 10 * 21 / 12).
        assert!((rank_sum(&values, &upper) - 3.779_644_730_092_272).abs() < 1e-9);
        assert_eq!(rank_sum(&[1.0; 20], &upper), 0.0);
        assert_eq!(rank_sum(&values, &[true; 20]), 0.0);
        assert_eq!(rank_sum(&[], &[]), 0.0);
    }
}
