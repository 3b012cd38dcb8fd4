//! Run delay: the time for which a thread could run, but the system runs others. It lengthens a step through no fault of
//! the step. Time for which the thread blocks is not included, because the step causes that.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Returns the run delay of the current thread since it started, in nanoseconds, or `None` if the system does not report
/// it. This is a system call, so it is made only for steps that are suspected of overrunning.
pub(super) fn run_delay_ns() -> Option<u64> {
    thread_local! {
        // On Linux it is the second number of this file (Documentation/scheduler/sched-stats.rst).
        static STAT: Option<File> = File::open("/proc/thread-self/schedstat").ok();
    }
    let mut text = [0; 64];
    let len = STAT.with(|stat| stat.as_ref()?.read_at(&mut text, 0).ok())?;
    second_number(str::from_utf8(text.get(..len)?).ok()?)
}

fn second_number(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Subtracts the run delay from the duration of a step, given the run delay of its thread before and after the step.
pub(super) fn without_run_delay_ns(took_ns: u64, before_ns: Option<u64>, after_ns: Option<u64>) -> u64 {
    let run_delay_ns = before_ns.zip(after_ns).map_or(0, |(before, after)| after.saturating_sub(before));
    took_ns.saturating_sub(run_delay_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_delay_is_not_charged_to_a_step() {
        assert_eq!(without_run_delay_ns(10, Some(100), Some(107)), 3);
        assert_eq!(without_run_delay_ns(10, None, Some(107)), 10, "an unknown delay is not subtracted");
        assert_eq!(without_run_delay_ns(10, Some(100), None), 10);
        assert_eq!(without_run_delay_ns(10, Some(100), Some(200)), 0, "part of the delay preceded the step");
    }

    #[test]
    fn the_run_delay_is_read_from_the_system() {
        assert_eq!(second_number("123456 789 10\n"), Some(789));
        assert_eq!(
            (second_number(""), second_number("1 x 2"), second_number("0 0 0\n")),
            (None, None, Some(0))
        );
        let (before, after) = (run_delay_ns(), run_delay_ns());
        assert!(before <= after, "the run delay never decreases: {before:?}, {after:?}");
    }
}
