//! The items of this module on Linux.

use std::fs::File;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::net::SocketAddr;

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::io::Interest;

/// Interest that reports that the other side has closed its sending side, even if bytes that it has sent are unread.
/// Priority data is never sent, so this one reports nothing else.
pub(crate) const CLOSE_INTEREST: Interest = Interest::PRIORITY;

/// Returns the run delay of the current thread since it started, in nanoseconds, or `None` if the system does not report
/// it. This is a system call, so it is made only for steps that are suspected of overrunning.
pub(crate) fn run_delay_ns() -> Option<u64> {
    thread_local! {
        // The second number of this file (Documentation/scheduler/sched-stats.rst).
        static STAT: Option<File> = File::open("/proc/thread-self/schedstat").ok();
    }
    let mut text = [0; 64];
    let len = STAT.with(|stat| stat.as_ref()?.read_at(&mut text, 0).ok())?;
    second_number(str::from_utf8(text.get(..len)?).ok()?)
}

fn second_number(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Gives the current thread the idle policy, so that it gets only time that no other thread uses.
///
/// # Errors
/// If the system refuses.
pub(crate) fn lower_thread_priority() -> Result<(), thread_priority::Error> {
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy)
}

/// Gives the current thread the batch policy: when it wakes up, it does not interrupt the thread that runs on its core, but
/// waits until that sleeps, or for a few milliseconds at most (see sched(7)). Its share of the time stays the same.
///
/// # Errors
/// If the system refuses.
pub(crate) fn wake_without_preemption() -> Result<(), thread_priority::Error> {
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
    let nice = rustix::process::getpriority_process(None).ok();
    // This number stands for the nice value 0, which the call sets as well.
    let value = ThreadPriorityValue::try_from(47)
        .map_err(|_| thread_priority::Error::Priority("47 is no priority"))?;
    let set =
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(value), policy);
    if let Some(nice) = nice.filter(|nice| *nice != 0) {
        // A process that may not raise its priority has kept its nice value, and the error above is about that.
        let _ = rustix::process::setpriority_process(None, nice);
    }
    if thread_priority::thread_schedule_policy()? == policy { Ok(()) } else { set }
}

/// Returns the address of a socket in the abstract namespace (see unix(7)).
pub(crate) fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

/// Returns the id of the process that has locked a file, according to `/proc/locks` (see proc_locks(5)).
#[cfg(feature = "kv-disk")]
pub(crate) fn lock_holder(path: &std::path::Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    let (major, minor) = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    let file = format!("{major:02x}:{minor:02x}:{}", metadata.ino());
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // Locks of byte ranges belong to an open file and name no process, but locks of whole files do.
    let holder = |line: &str| {
        let mut words = line.split_whitespace().skip(4);
        let (pid, locked) = (words.next()?, words.next()?);
        (locked == file).then(|| pid.parse().ok())?
    };
    locks.lines().find_map(holder)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_batch_policy_keeps_the_nice_value() {
        let of_thread = || {
            let nice = rustix::process::getpriority_process(None).unwrap();
            (nice, thread_priority::thread_schedule_policy().unwrap())
        };
        std::thread::spawn(move || {
            let (nice, _) = of_thread();
            wake_without_preemption().unwrap();
            let batch = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
            assert_eq!(of_thread(), (nice, batch));
        })
        .join()
        .unwrap();
    }
}
