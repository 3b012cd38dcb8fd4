//! Shares of requests, such as the rate of errors: the exact test of Fisher (1922), and intervals.

use super::median_interval::recovered;
use super::normal_distribution::Z_95;

/// A number of requests, of a total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) count: u64,
    pub(super) of: u64,
}

impl Share {
    /// Returns the share, from 0 to 1.
    pub(super) fn value(self) -> f64 {
        if self.of == 0 { 0.0 } else { self.count as f64 / self.of as f64 }
    }

    /// Returns the 95 % interval of Wilson (1927), with `inflation` as for dependent requests.
    fn interval(self, inflation: f64) -> (f64, f64) {
        let n = (self.of as f64 / inflation.max(1.0)).max(1.0);
        let (share, square) = (self.value(), Z_95 * Z_95);
        let center = (share + square / (2.0 * n)) / (1.0 + square / n);
        let spread = Z_95 * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt() / (1.0 + square / n);
        ((center - spread).max(0.0), (center + spread).min(1.0))
    }
}

/// Returns the 95 % interval of the difference `b - a` (Newcombe, 1998).
pub(super) fn share_difference(a: Share, b: Share, inflation: f64) -> (f64, f64) {
    let [a, b] = [a, b].map(|share| {
        let (low, high) = share.interval(inflation);
        (share.value(), low, high)
    });
    recovered(a, b)
}

/// Returns the two-sided p-value of the hypothesis that both shares are equal.
pub(super) fn fisher_test(a: Share, b: Share) -> f64 {
    let (count, total) = (a.count + b.count, a.of + b.of);
    if a.of == 0 || b.of == 0 || count == 0 || count == total {
        return 1.0;
    }
    // The number in `a` is hypergeometric.
    let (least, most) = (count.saturating_sub(b.of), count.min(a.of));
    let log_choose = |n: u64, k: u64| {
        let factorial = |n: u64| libm::lgamma(n as f64 + 1.0);
        factorial(n) - factorial(k) - factorial(n - k)
    };
    let all = log_choose(total, count);
    let log_p = |k: u64| log_choose(a.of, k) + log_choose(b.of, count - k) - all;
    // Tables that are as likely as this one count; rounding must not exclude them.
    let observed = log_p(a.count) + 1e-7;
    // The distribution has one mode, so the terms of each side are as likely from some point on, to the end.
    let sum = |terms: &mut dyn Iterator<Item = u64>| {
        let mut sum = 0.0_f64;
        for term in terms {
            let log_p = log_p(term);
            if log_p <= observed {
                let p = log_p.exp();
                sum += p;
                if p <= sum * 1e-12 {
                    break;
                }
            }
        }
        sum
    };
    let mode = ((a.of + 1) as f64 * (count + 1) as f64 / (total + 2) as f64) as u64;
    let mode = mode.clamp(least, most);
    (sum(&mut (mode + 1..=most)) + sum(&mut (least..=mode).rev())).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(count: u64, of: u64) -> Share {
        Share { count, of }
    }

    #[test]
    fn p_values_are_exact() {
        // Computed with fractions.
        for (a, b, p) in [
            (share(3, 4), share(1, 4), 0.485_714_285_7),
            (share(1, 10), share(11, 14), 0.002_759_456_185),
            (share(0, 10), share(10, 10), 1.082_508_823e-5),
            (share(2, 100), share(10, 100), 0.033_040_109_32),
            (share(0, 5), share(0, 9), 1.0),
            (share(5, 5), share(9, 9), 1.0),
            (share(0, 0), share(3, 9), 1.0),
        ] {
            let found = fisher_test(a, b);
            assert!((found - p).abs() < p * 1e-6, "{a:?} {b:?}: {found}");
            assert!((fisher_test(b, a) - found).abs() < 1e-9);
        }
    }

    #[test]
    fn a_million_requests_are_no_problem() {
        let p = fisher_test(share(10_000, 1_000_000), share(10_500, 1_000_000));
        // The score test: z = 500 / sqrt(2 * 1e6 * 0.01025 * 0.98975).
        assert!((p - 4.5e-4).abs() < 5e-5, "{p}");
        assert_eq!(fisher_test(share(0, 1_000_000), share(1_000_000, 1_000_000)), 0.0);
    }

    #[test]
    fn the_interval_is_that_of_newcombe() {
        // Table II of Newcombe (1998), method 10: 56/70 - 48/80.
        let (low, high) = share_difference(share(48, 80), share(56, 70), 1.0);
        assert!((low - 0.0524).abs() < 1e-4 && (high - 0.3339).abs() < 1e-4, "{low} {high}");
        let (low, high) = share_difference(share(0, 10), share(0, 10), 1.0);
        assert!(low < 0.0 && high > 0.0);
    }
}
