//! The process that `dev` starts a service through on Linux: `zerver __child PARENT PROGRAM ARGS...`. It asks the system
//! to be killed when its parent dies, then becomes the program.
//!
//! The system accepts that request only from the process itself, and keeps it across `exec`.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::error::CommandError;
use crate::platform;

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

/// Returns a command that runs a program and ends when we do, even if we are killed, where the system supports that.
pub(super) fn command(exe: &Path) -> Command {
    let Some(own_program) = platform::OWN_PROGRAM else { return Command::new(exe) };
    let mut command = Command::new(own_program);
    command.arg0("zerver").arg(CHILD).arg(std::process::id().to_string()).arg(exe);
    command
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
        if let Err(error) = platform::die_with_parent(self.parent) {
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
