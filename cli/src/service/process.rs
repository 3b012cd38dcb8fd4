//! Child processes that do not outlive us. Each leads its own process group, so that Ctrl-C in the terminal reaches only
//! us, and our signals reach everything that the child started.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// Locks out other spawns, so that no other child inherits what is meant for this one.
pub(crate) fn spawn_lock() -> MutexGuard<'static, ()> {
    static SPAWNING: Mutex<()> = Mutex::new(());
    SPAWNING.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Process {
    child: Child,
    is_reaped: bool,
}

/// End of a process.
pub(crate) struct ProcessExit {
    /// Description, such as `exit code 101` or `signal 11 (SIGSEGV)`.
    pub(crate) text: String,
    pub(crate) is_success: bool,
    /// True for exit code 2, with which a service ends that cannot start and has printed why.
    pub(crate) is_start_error: bool,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        Ok(Self { child: command.process_group(0).spawn()?, is_reaped: false })
    }

    /// Takes the standard output, if it is piped.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Takes the standard error, if it is piped.
    pub(crate) fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Returns the number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Calls `then` on another thread when the process has ended. The process is not reaped, so that its id is not reused
    /// before we know.
    pub(crate) fn when_ended(&self, then: impl FnOnce() + Send + 'static) {
        let pid = self.pid();
        thread::spawn(move || {
            wait(pid);
            then();
        });
    }

    /// Returns true if the process has ended.
    pub(crate) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        self.is_reaped || !matches!(waitid(WaitId::Pid(self.pid()), options), Ok(None))
    }

    /// Waits for the end of the process and reaps it.
    pub(crate) fn reap(&mut self) -> io::Result<ProcessExit> {
        let status = self.child.wait()?;
        self.is_reaped = true;
        Ok(ProcessExit {
            text: describe(status),
            is_success: status.success(),
            is_start_error: status.code() == Some(2),
        })
    }

    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if !self.is_reaped {
            // An error means that it has ended.
            let _ = kill_process_group(self.pid(), signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits until the process has ended, without reaping it.
fn wait(pid: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(waitid(WaitId::Pid(pid), options), Err(rustix::io::Errno::INTR)) {}
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => match signal_name(signal) {
            Some(name) => format!("signal {signal} ({name})"),
            None => format!("signal {signal}"),
        },
        (None, None) => status.to_string(),
    }
}

/// Returns the name of a signal that ends programs and has the same number on every system.
const fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str, wanted: &str) {
        let mut process = Process::spawn(Command::new("sh").args(["-c", script])).unwrap();
        assert_eq!(process.reap().unwrap().text, wanted);
    }

    #[test]
    fn the_end_of_a_process_is_described() {
        check("exit 3", "exit code 3");
        check("kill -9 $$", "signal 9 (SIGKILL)");
    }

    #[test]
    fn a_dropped_process_is_killed() {
        let process = Process::spawn(Command::new("sh").args(["-c", "sleep 1000"])).unwrap();
        let pid = process.pid();
        drop(process);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }
}
