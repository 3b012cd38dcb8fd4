//! Processes that do not outlive us: each leads a group of its own, so that a Ctrl-C in the terminal reaches only us,
//! and signals and the last kill reach whatever it started.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// One process is started at a time: whoever starts one may give it what no other is to have.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static STARTING: Mutex<()> = Mutex::new(());
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Process {
    child: Child,
    is_reaped: bool,
}

/// How a process ended.
pub(crate) struct Exit {
    /// In words: `exit code 101`, `signal 11 (SIGSEGV)`.
    pub(crate) text: String,
    pub(crate) is_success: bool,
    /// A service ends so that cannot start, and says why.
    pub(crate) is_trouble: bool,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        Ok(Self { child: command.process_group(0).spawn()?, is_reaped: false })
    }

    /// What reads its standard output, if that was piped; once.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// What reads its standard error, if that was piped; once.
    pub(crate) fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Calls `then` on a thread of its own when the process has ended. It is left to be reaped, so that its id cannot
    /// be somebody else's before we know.
    pub(crate) fn when_ended(&self, then: impl FnOnce() + Send + 'static) {
        let pid = self.pid();
        thread::spawn(move || {
            wait(pid);
            then();
        });
    }

    /// Whether it has ended, as far as is known by now.
    pub(crate) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        self.is_reaped || !matches!(waitid(WaitId::Pid(self.pid()), options), Ok(None))
    }

    /// Waits for its end, and forgets it.
    pub(crate) fn reap(&mut self) -> io::Result<Exit> {
        let status = self.child.wait()?;
        self.is_reaped = true;
        Ok(Exit { text: words(status), is_success: status.success(), is_trouble: status.code() == Some(2) })
    }

    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if !self.is_reaped {
            // It may have ended; then there is nothing to do.
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

/// Waits until the process has ended, and leaves it to be reaped.
pub(crate) fn wait(pid: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(waitid(WaitId::Pid(pid), options), Err(rustix::io::Errno::INTR)) {}
}

fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => match name(signal) {
            Some(name) => format!("signal {signal} ({name})"),
            None => format!("signal {signal}"),
        },
        (None, None) => status.to_string(),
    }
}

/// The names of the signals that end programs and have one number everywhere.
const fn name(signal: i32) -> Option<&'static str> {
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
    fn endings_are_named() {
        check("exit 3", "exit code 3");
        check("kill -9 $$", "signal 9 (SIGKILL)");
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let process = Process::spawn(Command::new("sh").args(["-c", "sleep 1000"])).unwrap();
        let pid = process.pid();
        drop(process);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }
}
