//! Intervals of medians and of their difference, without an assumption about the distribution.

use super::normal_distribution::Z_95;

/// Maximum number of values for which the exact distribution of ranks is used.
const MAX_EXACT: usize = 100;

/// A median with a 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MedianInterval {
    median: f64,
    low: f64,
    high: f64,
}

/// Returns the smallest of the sorted values that this percentage of them does not exceed (nearest rank), or 0 if there
/// are none.
pub(super) fn value_at(sorted: &[f64], percent: u8) -> f64 {
    let rank = (sorted.len() * usize::from(percent)).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

impl MedianInterval {
    /// Computes the interval between two order statistics. Returns `None` for fewer values than an interval needs: six
    /// if they are independent.
    pub(super) fn of(sorted: &[f64], inflation: f64) -> Option<Self> {
        let rank = lower_rank(sorted.len(), inflation)?;
        Some(Self {
            median: value_at(sorted, 50),
            low: *sorted.get(rank - 1)?,
            high: *sorted.get(sorted.len() - rank)?,
        })
    }
}

/// Returns the rank of the lower end, counted from 1.
fn lower_rank(count: usize, inflation: f64) -> Option<usize> {
    let n = count as f64;
    let spread = Z_95 * (n * inflation.max(1.0)).sqrt() / 2.0;
    let near = ((n / 2.0 - spread).floor().max(0.0)) as usize;
    let rank = match count {
        ..=MAX_EXACT if inflation <= 1.0 => exact_rank(count),
        ..=MAX_EXACT => near.min(exact_rank(count)),
        _ => near,
    };
    (rank > 0).then_some(rank)
}

/// Returns the largest rank that the number of values below the median falls short of with a probability of at most
/// 2.5 % (a binomial distribution).
fn exact_rank(count: usize) -> usize {
    let mut probability = 0.5_f64.powi(count as i32);
    let (mut sum, mut rank) = (0.0, 0);
    loop {
        sum += probability;
        if sum > 0.025 || rank >= count {
            return rank;
        }
        probability *= (count - rank) as f64 / (rank + 1) as f64;
        rank += 1;
    }
}

/// Returns the difference `b - a` and its 95 % interval, by the method of variance estimates recovery (Zou and Donner,
/// 2008), which keeps the asymmetry of the two intervals.
pub(super) fn difference(a: MedianInterval, b: MedianInterval) -> (f64, f64) {
    let [a, b] = [a, b].map(|of| (of.median, of.low, of.high));
    recovered(a, b)
}

/// Returns the interval of `b - a`, each given as the estimate with the ends of its interval.
pub(super) fn recovered(a: (f64, f64, f64), b: (f64, f64, f64)) -> (f64, f64) {
    let ((a, a_low, a_high), (b, b_low, b_high)) = (a, b);
    let difference = b - a;
    (difference - (b - b_low).hypot(a_high - a), difference + (b_high - b).hypot(a - a_low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare_sets::tests::SplitMix;

    #[test]
    fn ranks_are_those_of_tables() {
        // Tables of the sign test: the interval of ten values lies between the 2nd and the 9th.
        for (count, rank) in
            [(5, None), (6, Some(1)), (9, Some(2)), (10, Some(2)), (20, Some(6)), (50, Some(18))]
        {
            assert_eq!(lower_rank(count, 1.0), rank, "{count}");
        }
        assert_eq!(lower_rank(10_000, 1.0), Some(4_902));
        assert_eq!(lower_rank(10_000, 100.0), Some(4_020));
        assert_eq!(lower_rank(0, 1.0), None);
    }

    #[test]
    fn the_interval_covers_the_difference_as_often_as_it_claims() {
        let mut random = SplitMix(11);
        for (count_a, count_b) in [(8, 8), (12, 40), (200, 150)] {
            let mut covered = 0;
            for _ in 0..1000 {
                // A heavy tail: a Pareto distribution without a variance, scaled to medians of 1 and 3 ms.
                let mut sample = |count: usize, median: f64| {
                    let mut values: Vec<f64> =
                        (0..count).map(|_| median * (2.0 * random.uniform()).powf(-0.6)).collect();
                    values.sort_unstable_by(f64::total_cmp);
                    MedianInterval::of(&values, 1.0).unwrap()
                };
                let (a, b) = (sample(count_a, 1e6), sample(count_b, 3e6));
                let (low, high) = difference(a, b);
                covered += usize::from(low <= 2e6 && 2e6 <= high);
            }
            assert!(covered >= 935, "{covered} of 1000 with {count_a} and {count_b}");
        }
    }
}
