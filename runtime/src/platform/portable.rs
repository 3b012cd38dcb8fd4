//! The items of this module on Unix systems other than Linux. They do less, and the service works all the same.

use std::io;
use std::os::unix::net::SocketAddr;

use thread_priority::ThreadPriority;
use tokio::io::Interest;

/// Interest that reports that the other side has closed its sending side, even if bytes that it has sent are unread. It
/// also reports each arrival of bytes, which costs a wake-up.
pub(crate) const CLOSE_INTEREST: Interest = Interest::READABLE;

/// Returns `None`: the run delay is unknown, so it counts as part of the step.
pub(crate) const fn run_delay_ns() -> Option<u64> {
    None
}

/// Gives the current thread the lowest priority of the ordinary policy. It still takes some time from other threads.
///
/// # Errors
/// If the system refuses.
pub(crate) fn lower_thread_priority() -> Result<(), thread_priority::Error> {
    thread_priority::set_current_thread_priority(ThreadPriority::Min)
}

/// Does nothing: the system decides which thread runs.
pub(crate) const fn wake_without_preemption() -> Result<(), thread_priority::Error> {
    Ok(())
}

/// Returns an error: there is no abstract namespace.
pub(crate) fn abstract_address(_name: &[u8]) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "abstract addresses exist only on Linux"))
}

/// Returns `None`: the system does not report which process has locked a file.
#[cfg(feature = "kv-disk")]
pub(crate) const fn lock_holder(_path: &std::path::Path) -> Option<u32> {
    None
}
