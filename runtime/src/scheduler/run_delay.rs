//! How long the system keeps a thread from a core although it could run: time that a step takes without its doing. Time
//! in which it blocks is not in it, for that is the step's doing.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Of this thread, since it began, in nanoseconds; none where the system does not tell. A call into the system: for
/// those under suspicion.
pub(super) fn run_delay_ns() -> Option<u64> {
    thread_local! {
        // Linux has it here, in the second number (Documentation/scheduler/sched-stats.rst).
        static STAT: Option<File> = File::open("/proc/thread-self/schedstat").ok();
    }
    let mut text = [0; 64];
    let len = STAT.with(|stat| stat.as_ref()?.read_at(&mut text, 0).ok())?;
    second(str::from_utf8(text.get(..len)?).ok()?)
}

fn second(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// What of a time is a step's doing, where its thread had been kept waiting for so long before and after it.
pub(super) fn without_run_delay_ns(took_ns: u64, before_ns: Option<u64>, after_ns: Option<u64>) -> u64 {
    let run_delay_ns = before_ns.zip(after_ns).map_or(0, |(before, after)| after.saturating_sub(before));
    took_ns.saturating_sub(run_delay_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_without_a_core_is_nobodys_doing() {
        assert_eq!(without_run_delay_ns(10, Some(100), Some(107)), 3);
        assert_eq!(without_run_delay_ns(10, None, Some(107)), 10, "not known");
        assert_eq!(without_run_delay_ns(10, Some(100), None), 10);
        assert_eq!(without_run_delay_ns(10, Some(100), Some(200)), 0, "it waited before the step was timed");
    }

    #[test]
    fn the_system_is_understood() {
        assert_eq!(second("123456 789 10\n"), Some(789));
        assert_eq!((second(""), second("1 x 2"), second("0 0 0\n")), (None, None, Some(0)));
        let (before, after) = (run_delay_ns(), run_delay_ns());
        assert!(before <= after, "it only grows: {before:?}, {after:?}");
    }
}
