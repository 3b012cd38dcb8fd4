//! The time scale of a waterfall. Long stretches in which nothing begins or ends can be folded, so that what happens
//! around them has room.

/// Part of the whole from which a stretch is folded.
const MIN_FOLDED: u64 = 8;
/// Part of the whole that a folded stretch takes.
const FOLDED: f64 = 0.04;

/// Maps times to positions from 0 to 100.
#[derive(Debug)]
pub(crate) struct TimeScale {
    /// Time and position of each point; positions between them are interpolated.
    points: Vec<(u64, f64)>,
    /// Folded stretches: start and length.
    folds: Vec<(u64, u64)>,
}

impl TimeScale {
    /// Creates a scale from 0 to a time.
    pub(crate) fn even(total_ns: u64) -> Self {
        Self { points: vec![(0, 0.0), (total_ns.max(1), 100.0)], folds: Vec::new() }
    }

    /// Creates a scale that folds. `edges` are the times at which something begins or ends, and `busy` the stretches in
    /// which a step ran, which are not folded.
    pub(crate) fn folded(total_ns: u64, edges: impl Iterator<Item = u64>, busy: &[(u64, u64)]) -> Self {
        let mut edges: Vec<u64> = edges.map(|edge| edge.min(total_ns)).chain([0, total_ns]).collect();
        edges.sort_unstable();
        edges.dedup();
        let is_busy = |from: u64, to: u64| busy.iter().any(|(start, end)| *start < to && *end > from);
        let is_fold = |from: u64, to: u64| to - from >= (total_ns / MIN_FOLDED).max(1) && !is_busy(from, to);
        let stretches = || edges.windows(2).map(|pair| (pair[0], pair[1]));
        let folds: Vec<_> = stretches()
            .filter(|(from, to)| is_fold(*from, *to))
            .map(|(from, to)| (from, to - from))
            .collect();
        let rest_ns = total_ns - folds.iter().map(|(_, len)| len).sum::<u64>();
        if folds.is_empty() || rest_ns == 0 {
            return Self::even(total_ns);
        }
        let room = 1.0 - FOLDED * folds.len() as f64;
        let (mut position, mut points) = (0.0, vec![(0, 0.0)]);
        for (from, to) in stretches() {
            position += match is_fold(from, to) {
                true => FOLDED * 100.0,
                false => (to - from) as f64 / rest_ns as f64 * room * 100.0,
            };
            points.push((to, position.min(100.0)));
        }
        Self { points, folds }
    }

    /// Returns the position of a time.
    pub(crate) fn position(&self, at_ns: u64) -> f64 {
        let after = self.points.partition_point(|(time, _)| *time < at_ns);
        match (after.checked_sub(1).and_then(|before| self.points.get(before)), self.points.get(after)) {
            (Some((from, low)), Some((to, high))) => {
                low + (high - low) * ((at_ns - from) as f64 / (to - from).max(1) as f64)
            }
            (None, _) => 0.0,
            (_, None) => 100.0,
        }
    }

    /// Returns the position and the length of the folded stretches.
    pub(crate) fn folds(&self) -> impl Iterator<Item = (f64, u64)> {
        self.folds.iter().map(|(from, len)| ((self.position(*from) + self.position(from + len)) / 2.0, *len))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_wait_is_folded_and_a_long_run_is_not() {
        let edges = [0, 10, 900, 910, 1000];
        let scale = TimeScale::folded(1000, edges.into_iter(), &[]);
        assert_eq!(scale.folds, [(10, 890)]);
        let wait = scale.position(900) - scale.position(10);
        assert!((wait - 4.0).abs() < 1e-9, "{wait}");
        assert!(scale.position(1000) > 99.9);
        assert!(TimeScale::folded(1000, edges.into_iter(), &[(10, 900)]).folds.is_empty());
        assert!((TimeScale::even(200).position(50) - 25.0).abs() < 1e-9);
        assert!(TimeScale::even(0).position(7) <= 100.0);
    }

    proptest! {
        #[test]
        fn positions_keep_the_order_of_times(
            total in 0..2_000_u64, edges in proptest::collection::vec(0..3_000_u64, 0..20), times in proptest::collection::vec(0..3_000_u64, 2..9),
        ) {
            let scale = TimeScale::folded(total, edges.into_iter(), &[(5, 40)]);
            let mut times = times;
            times.sort_unstable();
            let positions: Vec<_> = times.iter().map(|at| scale.position(*at)).collect();
            prop_assert!(positions.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9));
            prop_assert!(positions.iter().all(|at| (0.0..=100.0 + 1e-9).contains(at)));
        }
    }
}
