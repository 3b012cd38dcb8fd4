//! The rank sum test of Mann and Whitney (1947). It assumes no distribution, and a single outlier does not decide it.

use super::normal_distribution::two_sided_p;

/// Maximum number of values for which the exact distribution is computed.
const MAX_EXACT: usize = 40;
/// Maximum size of a sample for which it is computed however large the other sample is. The normal approximation fails
/// for such samples.
const SMALL_SAMPLE: usize = 10;
/// Number of values of the other sample that are used then, evenly chosen.
const MAX_OTHER: usize = 200;

/// Returns the two-sided p-value of the hypothesis that both samples come from one distribution, or `None` if one of
/// them is empty.
///
/// Up to 40 values, or if one sample has at most 10, the p-value is that of the exact permutation distribution, with ties
/// as they are. Otherwise it is the normal approximation, corrected for ties and for continuity.
pub(super) fn rank_test(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (small, large) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let is_exact = small.len() <= SMALL_SAMPLE || a.len() + b.len() <= MAX_EXACT;
    let thinned: Vec<f64> = if is_exact && large.len() > MAX_OTHER {
        (0..MAX_OTHER).map(|n| large[n * large.len() / MAX_OTHER]).collect()
    } else {
        large.to_vec()
    };
    let ranks = doubled_ranks(small, &thinned);
    let sum: u64 = ranks[..small.len()].iter().sum();
    let p = if is_exact { exact } else { approximate };
    Some(p(&ranks, small.len(), sum))
}

/// Returns twice the rank of each value of both samples, `a` first. Equal values share the mean of their ranks, so that
/// twice the rank is an integer.
pub(super) fn doubled_ranks(a: &[f64], b: &[f64]) -> Vec<u64> {
    let mut order: Vec<(f64, usize)> = a.iter().chain(b).copied().zip(0..).collect();
    order.sort_unstable_by(|x, y| x.0.total_cmp(&y.0));
    let mut ranks = vec![0; order.len()];
    let mut before = 0;
    for tied in order.chunk_by(|x, y| x.0 == y.0) {
        // Ranks `before + 1` to `before + tied.len()`.
        let doubled = 2 * before as u64 + tied.len() as u64 + 1;
        tied.iter().for_each(|(_, at)| ranks[*at] = doubled);
        before += tied.len();
    }
    ranks
}

/// Counts the ways to choose `size` of the ranks whose sum lies at least as far from its expectation.
fn exact(ranks: &[u64], size: usize, sum: u64) -> f64 {
    let total: u64 = ranks.iter().sum();
    let mut largest = ranks.to_vec();
    largest.sort_unstable_by(|a, b| b.cmp(a));
    let sums = largest[..size].iter().sum::<u64>() as usize + 1;
    // `ways[n * sums + s]`: ways to choose `n` ranks with the sum `s`.
    let mut ways = vec![0.0_f64; (size + 1) * sums];
    ways[0] = 1.0;
    for rank in ranks {
        for n in (1..=size).rev() {
            for s in (*rank as usize..sums).rev() {
                ways[n * sums + s] += ways[(n - 1) * sums + s - *rank as usize];
            }
        }
    }
    // Deviations from the expectation `size * total / ranks.len()`, without division.
    let count = ranks.len() as u64;
    let distance = |s: u64| (s * count).abs_diff(size as u64 * total);
    let observed = distance(sum);
    let of_size = &ways[size * sums..];
    let all: f64 = of_size.iter().sum();
    let extreme: f64 =
        (0..).zip(of_size).filter(|(s, _)| distance(*s) >= observed).map(|(_, ways)| ways).sum();
    (extreme / all).min(1.0)
}

fn approximate(ranks: &[u64], size: usize, sum: u64) -> f64 {
    let (m, total) = (size as f64, ranks.len() as f64);
    let n = total - m;
    let mut sorted = ranks.to_vec();
    sorted.sort_unstable();
    let cubes = |tied: &[u64]| {
        let len = tied.len() as f64;
        len * len * len - len
    };
    let ties: f64 = sorted.chunk_by(|x, y| x == y).map(cubes).sum();
    let variance = m * n / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let deviation = (sum as f64 / 2.0 - m * (total + 1.0) / 2.0).abs();
    two_sided_p((deviation - 0.5).max(0.0) / variance.sqrt())
}

/// Returns the smallest p-value that samples of these sizes can have, if no two values are equal.
pub(super) fn least_p(a: usize, b: usize) -> f64 {
    let (small, large) = (a.min(b), a.max(b).min(MAX_OTHER));
    let combinations: f64 = (1..=small.min(SMALL_SAMPLE)).map(|k| (large + k) as f64 / k as f64).product();
    (2.0 / combinations).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_samples_have_exact_p_values() {
        // Tables of the test: the extreme order of 3 and 3 is 2 of 20, and of 4 and 4, 2 of 70.
        assert_eq!(rank_test(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]), Some(0.1));
        assert!(
            (rank_test(&[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0]).unwrap() - 2.0 / 70.0).abs() < 1e-12
        );
        assert_eq!(least_p(3, 3), 0.1);
        assert!((least_p(4, 4) - 2.0 / 70.0).abs() < 1e-12);
        // A single value is the largest of 61, or the smallest.
        let many: Vec<f64> = (0..60).map(f64::from).collect();
        assert!((rank_test(&[100.0], &many).unwrap() - 2.0 / 61.0).abs() < 1e-12);
        assert!((least_p(1, 60) - 2.0 / 61.0).abs() < 1e-12 && least_p(3, 1_000_000) < 1e-5);
        // All others are equal: one in 61 has the other value.
        assert!((rank_test(&[2.0], &[1.0; 60]).unwrap() - 1.0 / 61.0).abs() < 1e-12);
        assert!(rank_test(&[100.0; 3], &[1.0; 5_000]).unwrap() < 1e-5);
        assert_eq!(rank_test(&[1.0; 5], &[1.0; 9]), Some(1.0));
        assert_eq!(rank_test(&[], &[1.0]), None);
    }

    #[test]
    fn both_forms_agree_where_they_meet() {
        let a: Vec<f64> = (0..20).map(|n| f64::from(n * 7 % 20)).collect();
        for shift in [0.0, 3.0, 6.5] {
            let b: Vec<f64> = a.iter().map(|value| value + shift).collect();
            let ranks = doubled_ranks(&a, &b);
            let sum: u64 = ranks[..20].iter().sum();
            let (exact, near) = (exact(&ranks, 20, sum), approximate(&ranks, 20, sum));
            assert!((exact - near).abs() < 0.02 * exact.max(0.05), "{exact} {near}");
        }
    }

    #[test]
    fn infinite_values_are_the_largest() {
        let a: Vec<f64> = (0..30).map(f64::from).collect();
        let mut b: Vec<f64> = (100..130).map(f64::from).collect();
        let without = rank_test(&a, &b);
        b[29] = f64::INFINITY;
        assert_eq!(rank_test(&a, &b), without);
    }
}
