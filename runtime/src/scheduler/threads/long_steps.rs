//! The latest long steps of one thread. They explain why a completion was ready, or a request was unread, for a while.
//! Only the thread itself writes and reads them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Shortest run that makes a step a long step. A completion that is ready for this long counts as delayed.
pub(crate) const LONG_STEP_NS: u64 = 1_000_000;

/// Number of long steps that are remembered.
const REMEMBERED: usize = 16;

/// The latest long steps of one thread.
#[derive(Debug, Default)]
pub(crate) struct LongSteps {
    /// Number of long steps so far.
    count: AtomicUsize,
    entries: [Entry; REMEMBERED],
}

#[derive(Debug, Default)]
struct Entry {
    began_ns: AtomicU64,
    ended_ns: AtomicU64,
    /// Number of the flow in the upper bits, and position of the step in the lower 16.
    step: AtomicU64,
}

/// A step that ran for long. Times are on the service's clock.
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
    pub(crate) fn push(&self, long_step: LongStep) {
        let count = self.count.load(Ordering::Relaxed);
        let entry = &self.entries[count % REMEMBERED];
        entry.began_ns.store(long_step.began_ns, Ordering::Relaxed);
        entry.ended_ns.store(long_step.ended_ns, Ordering::Relaxed);
        entry.step.store(u64::from(long_step.flow) << 16 | u64::from(long_step.step), Ordering::Relaxed);
        self.count.store(count.wrapping_add(1), Ordering::Relaxed);
    }

    /// Returns the end of the latest long step, or 0 if there has been none.
    pub(crate) fn last_end_ns(&self) -> u64 {
        let count = self.count.load(Ordering::Relaxed);
        self.entries[count.wrapping_sub(1) % REMEMBERED].ended_ns.load(Ordering::Relaxed)
    }

    /// Returns the remembered step that ran for the longest part of the interval, if any ran in it.
    pub(crate) fn longest_between(&self, from_ns: u64, to_ns: u64) -> Option<LongStep> {
        let overlap_ns =
            |step: &LongStep| step.ended_ns.min(to_ns).saturating_sub(step.began_ns.max(from_ns));
        let steps = self.entries.iter().map(Entry::get);
        steps.filter(|step| overlap_ns(step) > 0).max_by_key(overlap_ns)
    }
}

impl Entry {
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

    fn long_step(step: u16, began_ns: u64, ended_ns: u64) -> LongStep {
        LongStep { flow: 1, step, began_ns, ended_ns }
    }

    #[test]
    fn the_step_that_ran_longest_in_an_interval_is_found() {
        let steps = LongSteps::default();
        assert_eq!((steps.last_end_ns(), steps.longest_between(0, u64::MAX)), (0, None));
        let (first, second) = (long_step(0, 10, 60), long_step(1, 60, 80));
        steps.push(first);
        assert_eq!(steps.last_end_ns(), 60);
        steps.push(second);
        assert_eq!(steps.last_end_ns(), 80);
        for (from_ns, to_ns, expected) in [
            (0, 100, Some(first)),
            (50, 100, Some(second)),
            (50, 65, Some(first)),
            (70, 100, Some(second)),
            (80, 100, None),
            (0, 10, None),
        ] {
            assert_eq!(steps.longest_between(from_ns, to_ns), expected, "from {from_ns} to {to_ns}");
        }
    }

    #[test]
    fn only_the_latest_steps_are_remembered() {
        let steps = LongSteps::default();
        for at in 0..REMEMBERED as u64 + 1 {
            steps.push(long_step(at as u16, at * 10, at * 10 + 10));
        }
        assert_eq!(steps.longest_between(0, 10), None);
        assert_eq!(steps.longest_between(10, 20), Some(long_step(1, 10, 20)));
        assert_eq!(steps.last_end_ns(), REMEMBERED as u64 * 10 + 10);
    }
}
