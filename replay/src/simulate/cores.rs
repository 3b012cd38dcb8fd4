//! How long a step would have taken with a core of its own. What was recorded is time of a clock: a thread of low priority
//! stands still in it while others take all cores.

use zerver_engine::core_rates;

/// A step that ran, on the clock of the whole recording.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ran {
    pub(super) at_ns: u64,
    pub(super) end_ns: u64,
    /// Whether it ran at low priority.
    pub(super) is_low: bool,
}

/// For each of these steps, how long it had a core. Steps share the cores as in a simulation.
pub(super) fn had_ns(cores: usize, steps: &[Ran]) -> Vec<u64> {
    let mut marks: Vec<(u64, usize, bool)> = Vec::with_capacity(2 * steps.len());
    for (at, step) in steps.iter().enumerate() {
        marks.extend([(step.at_ns, at, true), (step.end_ns.max(step.at_ns), at, false)]);
    }
    // One that begins and ends at once begins first.
    marks.sort_unstable_by_key(|&(ns, at, begins)| (ns, at, !begins));
    let mut running = [0_u64; 2];
    // How much a thread would have had since the beginning that always ran, in thousandths.
    let (mut had, mut last_ns) = ([0_u128; 2], 0);
    let mut begun = vec![0_u128; steps.len()];
    let mut all = vec![0; steps.len()];
    for (ns, at, begins) in marks {
        let (ordinary, low) = core_rates(cores as u64, running[0], running[1]);
        for (had, rate) in std::iter::zip(&mut had, [ordinary, low]) {
            *had += u128::from(ns - last_ns) * u128::from(rate);
        }
        last_ns = ns;
        let sort = usize::from(steps[at].is_low);
        if begins {
            begun[at] = had[sort];
            running[sort] += 1;
        } else {
            all[at] = u64::try_from((had[sort] - begun[at]) / 1000).unwrap_or(u64::MAX);
            running[sort] -= 1;
        }
    }
    all
}

/// What a worker does after a turn besides steps: the median of how soon after the end of one step the next began for
/// which somebody had waited.
pub(super) fn after_ns(waited: &[Ran], steps: &[Ran]) -> u64 {
    let mut ends: Vec<u64> = steps.iter().filter(|step| !step.is_low).map(|step| step.end_ns).collect();
    ends.sort_unstable();
    let gap = |step: &Ran| {
        let before = ends.partition_point(|&end_ns| end_ns <= step.at_ns).checked_sub(1)?;
        Some(step.at_ns - ends[before])
    };
    let mut gaps: Vec<u64> = waited.iter().filter(|step| !step.is_low).filter_map(gap).collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(at_ns: u64, end_ns: u64, is_low: bool) -> Ran {
        Ran { at_ns, end_ns, is_low }
    }

    #[test]
    fn low_priority_stands_still_while_others_run() {
        let low = ran(0, 10_000, true);
        let check = |cores, others: &[Ran], had: u64| {
            assert_eq!(had_ns(cores, &[&[low], others].concat())[0], had);
        };
        check(1, &[], 10_000);
        // But for what the system gives it all the same: 3 in 1000.
        check(1, &[ran(2_000, 4_000, false), ran(7_000, 20_000, false)], 5_000 + 15);
        check(2, &[ran(2_000, 4_000, false)], 10_000);
        check(2, &[ran(0, 10_000, false), ran(5_000, 10_000, true)], 7_500);
        assert_eq!(had_ns(1, &[ran(5, 5, false), ran(0, 10, false), ran(0, 10, false)]), [0, 5, 5]);
    }

    #[test]
    fn what_lies_between_turns_is_found() {
        let steps = [ran(0, 10, false), ran(13, 20, false), ran(22, 30, false), ran(23, 31, true)];
        assert_eq!(after_ns(&steps[1..], &steps), 3);
        assert_eq!(after_ns(&steps[..1], &steps), 0, "nothing was before it");
    }
}
