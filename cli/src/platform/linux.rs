//! The items of this module on Linux.

use std::io;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// Path under which this process can be started again, through which children call [`die_with_parent`]. Not
/// `current_exe`: our own file may have been replaced meanwhile.
pub(crate) const OWN_PROGRAM: Option<&str> = Some("/proc/self/exe");

/// Asks the system to kill this process when `parent` dies, which started it. The request is kept across `exec`.
pub(crate) fn die_with_parent(parent: i32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the call.
    if getppid().map_or(0, Pid::as_raw_pid) == parent {
        Ok(())
    } else {
        Err(io::Error::other("the process that started it has ended"))
    }
}
