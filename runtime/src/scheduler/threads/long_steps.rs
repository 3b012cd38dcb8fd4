//! The long steps that a thread ran last. They tell what the thread did while an answer lay ready or a request unread.
//! Written and read by that thread alone.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A step that runs for this long is one; and an answer that lies ready for this long is late.
pub(crate) const LONG_STEP_NS: u64 = 1_000_000;

/// How many are remembered.
const REMEMBERED: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct LongSteps {
    /// How many there have been.
    count: AtomicUsize,
    runs: [Cells; REMEMBERED],
}

#[derive(Debug, Default)]
struct Cells {
    began_ns: AtomicU64,
    ended_ns: AtomicU64,
    /// Its flow and its position in that.
    step: AtomicU64,
}

/// A step that ran for long. Times are the service's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LongStep {
    pub(crate) flow: u16,
    pub(crate) step: u16,
    pub(crate) began_ns: u64,
    pub(crate) ended_ns: u64,
}

impl LongStep {
    pub(crate) const fn ran_ns(&self) -> u64 {
        self.ended_ns.saturating_sub(self.began_ns)
    }
}

impl LongSteps {
    #[cold]
    pub(crate) fn push(&self, run: LongStep) {
        let count = self.count.load(Ordering::Relaxed);
        let cells = &self.runs[count % REMEMBERED];
        cells.began_ns.store(run.began_ns, Ordering::Relaxed);
        cells.ended_ns.store(run.ended_ns, Ordering::Relaxed);
        cells.step.store(u64::from(run.flow) << 16 | u64::from(run.step), Ordering::Relaxed);
        self.count.store(count.wrapping_add(1), Ordering::Relaxed);
    }

    /// When the last one ended; 0 if there has been none.
    pub(crate) fn last_end_ns(&self) -> u64 {
        let count = self.count.load(Ordering::Relaxed);
        self.runs[count.wrapping_sub(1) % REMEMBERED].ended_ns.load(Ordering::Relaxed)
    }

    /// The step that ran for most of this time, if one of those remembered did.
    pub(crate) fn most_of(&self, from_ns: u64, to_ns: u64) -> Option<LongStep> {
        let overlap = |run: &LongStep| run.ended_ns.min(to_ns).saturating_sub(run.began_ns.max(from_ns));
        let runs = self.runs.iter().map(Cells::get);
        runs.filter(|run| overlap(run) > 0).max_by_key(overlap)
    }
}

impl Cells {
    fn get(&self) -> LongStep {
        let step = self.step.load(Ordering::Relaxed);
        LongStep {
            flow: (step >> 16) as u16,
            step: step as u16,
            began_ns: self.began_ns.load(Ordering::Relaxed),
            ended_ns: self.ended_ns.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(step: u16, began_ns: u64, ended_ns: u64) -> LongStep {
        LongStep { flow: 1, step, began_ns, ended_ns }
    }

    #[test]
    fn the_step_that_ran_for_most_of_a_time_is_found() {
        let runs = LongSteps::default();
        assert_eq!((runs.last_end_ns(), runs.most_of(0, u64::MAX)), (0, None));
        let (first, second) = (run(0, 10, 60), run(1, 60, 80));
        runs.push(first);
        assert_eq!(runs.last_end_ns(), 60);
        runs.push(second);
        assert_eq!(runs.last_end_ns(), 80);
        for (from_ns, to_ns, most) in [
            (0, 100, Some(first)),
            (50, 100, Some(second)),
            (50, 65, Some(first)),
            (70, 100, Some(second)),
            (80, 100, None),
            (0, 10, None),
        ] {
            assert_eq!(runs.most_of(from_ns, to_ns), most, "from {from_ns} to {to_ns}");
        }
    }

    #[test]
    fn only_the_last_ones_are_remembered() {
        let runs = LongSteps::default();
        for at in 0..REMEMBERED as u64 + 1 {
            runs.push(run(at as u16, at * 10, at * 10 + 10));
        }
        assert_eq!(runs.most_of(0, 10), None);
        assert_eq!(runs.most_of(10, 20), Some(run(1, 10, 20)));
        assert_eq!(runs.last_end_ns(), REMEMBERED as u64 * 10 + 10);
    }
}
