//! The process that `dev` starts a service through: `zerver __child PARENT PROGRAM ARGS...`. It asks the system to be
//! killed when its parent dies, then becomes the program.
//!
//! Linux accepts that request only from the process itself, and keeps it across `exec`.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::error::CommandError;

/// Number of attempts to run a program that is still being written (ETXTBSY).
const BUSY_ATTEMPTS: u32 = 40;
/// Pause between two attempts.
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// First argument. It is not among the commands, so completions leave it out.
const CHILD: &str = "__child";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ExecChild {
    parent: i32,
    exe: OsString,
    args: Vec<OsString>,
}

/// Returns a command that runs a program and ends when we do, even if we are killed.
#[cfg(target_os = "linux")]
pub(super) fn command(exe: &Path) -> Command {
    // Not `current_exe`: our own file may have been replaced meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("zerver").arg(CHILD).arg(std::process::id().to_string()).arg(exe);
    command
}

#[cfg(not(target_os = "linux"))]
pub(super) fn command(exe: &Path) -> Command {
    Command::new(exe)
}

impl ExecChild {
    /// Parses the arguments of this process; `None` if it is no such child.
    pub(crate) fn from_args(args: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut args = args.into_iter().skip(1);
        if args.next()? != CHILD {
            return None;
        }
        Some(Self { parent: args.next()?.to_str()?.parse().ok()?, exe: args.next()?, args: args.collect() })
    }

    /// Becomes the program. Returns only if that fails.
    pub(crate) fn exec(&self) -> CommandError {
        let failed = |error: &io::Error| {
            CommandError::new(format!("cannot run {}", Path::new(&self.exe).display())).caused_by(error)
        };
        if let Err(error) = die_with(self.parent) {
            return failed(&error);
        }
        let mut attempts = 0;
        loop {
            let error = Command::new(&self.exe).args(&self.args).exec();
            attempts += 1;
            if error.kind() != io::ErrorKind::ExecutableFileBusy || attempts == BUSY_ATTEMPTS {
                return failed(&error);
            }
            thread::sleep(BUSY_PAUSE);
        }
    }
}

#[cfg(target_os = "linux")]
fn die_with(parent: i32) -> io::Result<()> {
    use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the call.
    if getppid().map_or(0, Pid::as_raw_pid) == parent {
        Ok(())
    } else {
        Err(io::Error::other("the process that started it has ended"))
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with(_parent: i32) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_arguments_make_a_child() {
        let parse = |line: &str| ExecChild::from_args(line.split(' ').map(OsString::from));
        let wanted = ExecChild { parent: 7, exe: "/a".into(), args: vec!["--".into(), "-q".into()] };
        assert_eq!(parse("zerver __child 7 /a -- -q"), Some(wanted));
        for line in ["zerver", "zerver ls", "zerver __child", "zerver __child x /a", "zerver __child 7"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
