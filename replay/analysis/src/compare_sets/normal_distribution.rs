//! The standard normal distribution: two-sided p-values and their deviations.

/// Deviation that 5 % of the values exceed on either side.
pub(super) const Z_95: f64 = 1.959_963_984_540_054;
/// Deviation beyond which a p-value is too small for a float.
const MAX_DEVIATION: f64 = 37.0;

/// Returns the probability that a value deviates from 0 at least as far as `z`, on either side.
pub(super) fn two_sided_p(z: f64) -> f64 {
    libm::erfc(z.abs() / std::f64::consts::SQRT_2).clamp(0.0, 1.0)
}

/// Returns the deviation with this two-sided p-value.
pub(super) fn deviation(p: f64) -> f64 {
    let (mut low, mut high) = (0.0, MAX_DEVIATION);
    for _ in 0..64 {
        let middle = f64::midpoint(low, high);
        if two_sided_p(middle) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_those_of_tables() {
        for (z, p) in [(0.0, 1.0), (1.0, 0.317_310_507_9), (Z_95, 0.05), (-3.290_526_731, 0.001)] {
            assert!((two_sided_p(z) - p).abs() < 1e-9, "{z}");
            assert!((deviation(p) - z.abs()).abs() < 1e-6, "{p}");
        }
        assert!(two_sided_p(MAX_DEVIATION) > 0.0);
    }
}
