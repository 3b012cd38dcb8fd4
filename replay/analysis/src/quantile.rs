//! Quantiles of measured times.

/// Returns the smallest of the sorted values that this percentage of them does not exceed (nearest rank), or 0 if there
/// are none.
pub fn quantile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_use_the_nearest_rank() {
        for (n, p50, p99) in [(0, 0, 0), (1, 1, 1), (2, 1, 2), (100, 50, 99), (200, 100, 198)] {
            let sorted: Vec<u64> = (1..=n).collect();
            assert_eq!((quantile(&sorted, 50), quantile(&sorted, 99)), (p50, p99), "{n}");
        }
        let sorted: Vec<u64> = (1..=100).collect();
        assert!((1..=100).all(|percent| quantile(&sorted, percent) == percent as u64));
    }
}
