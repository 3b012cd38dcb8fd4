//! The service as a child process, and the contract with it.
//!
//! It gets the listening socket as an inherited descriptor (`LISTEN_FDS=1`, `LISTEN_FDS_FIRST_FD`, as systemd's socket
//! activation, with no `LISTEN_PID` since its id is not known beforehand), `ZERVER_ADDR`, `ZERVER_STORE`,
//! `ZERVER_RECORD=all`, `ZERVER_DEV=1`, `CARGO_MANIFEST_DIR` (as Cargo sets it: `zerver.toml` is there), and
//! `NOTIFY_SOCKET` (as sd_notify(3)), where it sends `READY=1` when it serves. On SIGTERM it finishes what it has and
//! exits with 0. What it prints goes to our standard error, or to the terminal UI, each line made safe (`service_output`).

use std::env;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use tempfile::TempDir;

use super::service_output::Relay;
use crate::error::Trouble;
use crate::service::process::{Process, alone};

/// What ends the thread that listens for `READY=1`.
const ENOUGH: &[u8] = b"X_ZERVER_ENOUGH=1";
/// The longest path that fits a socket's address, with a name in the folder to come (unix(7)).
const MAX_FOLDER: usize = 80;
/// While a program is being written, it cannot be run (ETXTBSY).
const BUSY_TRIES: u32 = 40;
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// What all servers of one `dev` have in common.
pub(super) struct Host {
    listener: TcpListener,
    addr: SocketAddr,
    store: PathBuf,
    args: Vec<OsString>,
    folder: PathBuf,
    package: PathBuf,
    sockets: TempDir,
}

impl Host {
    /// `folder` is where the service runs, `package` where its settings are.
    pub(super) fn new(
        listener: TcpListener,
        addr: SocketAddr,
        store: PathBuf,
        folder: PathBuf,
        package: PathBuf,
        args: Vec<OsString>,
    ) -> Result<Self, Trouble> {
        let sockets = private_folder()
            .map_err(|error| Trouble::new("cannot make a folder for a socket").because(&error))?;
        Ok(Self { listener, addr, store, args, folder, package, sockets })
    }

    /// Starts a server. `ready` and `ended` are called on threads of their own. What it prints goes
    /// into pipes: it may quote what a client sent, and is made safe before anybody sees it.
    pub(super) fn start(
        &self,
        exe: &Path,
        generation: u64,
        ready: impl Fn() + Send + 'static,
        ended: impl FnOnce() + Send + 'static,
    ) -> Result<Server, Trouble> {
        let trouble =
            |error: &io::Error| Trouble::new(format!("cannot run {}", exe.display())).because(error);
        let notify = self.sockets.path().join(format!("notify-{generation}"));
        let socket = UnixDatagram::bind(&notify).map_err(|error| trouble(&error))?;
        let mut command = dying_with_us(exe);
        command
            .args(&self.args)
            .current_dir(&self.folder)
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDNAMES")
            .env("LISTEN_FDS", "1")
            .env("LISTEN_FDS_FIRST_FD", self.listener.as_raw_fd().to_string())
            .env("CARGO_MANIFEST_DIR", &self.package)
            .env("ZERVER_ADDR", self.addr.to_string())
            .env("ZERVER_STORE", &self.store)
            .env("ZERVER_RECORD", "all")
            .env("ZERVER_DEV", "1")
            .env("NOTIFY_SOCKET", &notify)
            .stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // Only this child inherits the socket: nobody else starts a process meanwhile.
        let _alone = alone();
        let inherit = |flags| fcntl_setfd(&self.listener, flags).map_err(io::Error::from);
        let spawned = inherit(FdFlags::empty()).and_then(|()| Process::spawn(&mut command));
        inherit(FdFlags::CLOEXEC).map_err(|error| trouble(&error))?;
        let process = spawned.map_err(|error| trouble(&error))?;
        process.when_ended(ended);
        thread::spawn(move || listen_for_ready(&socket, &ready));
        Ok(Server { process, notify, outputs: Vec::new() })
    }
}

/// A running server; dropped, it is killed.
pub(super) struct Server {
    pub(super) process: Process,
    /// Its standard output and standard error.
    pub(super) outputs: Vec<Relay>,
    notify: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let end = || UnixDatagram::unbound()?.send_to(ENOUGH, &self.notify);
        // If this fails, a thread waits a little longer: until we end.
        let _ = end();
        let _ = fs::remove_file(&self.notify);
    }
}

fn listen_for_ready(socket: &UnixDatagram, ready: &impl Fn()) {
    let mut buffer = [0; 4096];
    while let Ok(len) = socket.recv(&mut buffer) {
        if &buffer[..len] == ENOUGH {
            return;
        }
        if buffer[..len].split(|&byte| byte == b'\n').any(|line| line == b"READY=1") {
            ready();
        }
    }
}

/// A folder for us alone, with a path short enough for a socket in it.
fn private_folder() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("zerver-").permissions(Permissions::from_mode(0o700));
    let usual = env::temp_dir();
    let folder = if usual.as_os_str().as_bytes().len() > MAX_FOLDER { Path::new("/tmp") } else { &usual };
    builder.tempdir_in(folder)
}

/// A command that ends when we do, even if we are killed. Linux takes the wish only from the process itself, so it
/// starts as a copy of us, which makes the wish and becomes the program: see [`Child`].
#[cfg(target_os = "linux")]
fn dying_with_us(exe: &Path) -> Command {
    // Not `current_exe`: our own file may have been replaced meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("zerver").arg(CHILD).arg(std::process::id().to_string()).arg(exe);
    command
}

#[cfg(not(target_os = "linux"))]
fn dying_with_us(exe: &Path) -> Command {
    Command::new(exe)
}

/// What `dev` starts a service through: `zerver __child PARENT PROGRAM ARGS..`, which dies with its parent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Child {
    parent: i32,
    exe: OsString,
    args: Vec<OsString>,
}

const CHILD: &str = "__child";

impl Child {
    /// Whether we were started for this. It is no command of ours, and completions need not know it.
    pub(crate) fn asked_for(args: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut args = args.into_iter().skip(1);
        if args.next()? != CHILD {
            return None;
        }
        Some(Self { parent: args.next()?.to_str()?.parse().ok()?, exe: args.next()?, args: args.collect() })
    }

    /// Becomes the program; comes back only when that fails.
    pub(crate) fn run(&self) -> Trouble {
        let trouble = |error: &io::Error| {
            Trouble::new(format!("cannot run {}", Path::new(&self.exe).display())).because(error)
        };
        if let Err(error) = die_with(self.parent) {
            return trouble(&error);
        }
        let mut tries = 0;
        loop {
            let error = Command::new(&self.exe).args(&self.args).exec();
            tries += 1;
            if error.kind() != io::ErrorKind::ExecutableFileBusy || tries == BUSY_TRIES {
                return trouble(&error);
            }
            thread::sleep(BUSY_PAUSE);
        }
    }
}

#[cfg(target_os = "linux")]
fn die_with(parent: i32) -> io::Result<()> {
    use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have died before we asked.
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
    fn only_the_whole_of_it_makes_a_child() {
        let parse = |line: &str| Child::asked_for(line.split(' ').map(OsString::from));
        let wanted = Child { parent: 7, exe: "/a".into(), args: vec!["--".into(), "-q".into()] };
        assert_eq!(parse("zerver __child 7 /a -- -q"), Some(wanted));
        for line in ["zerver", "zerver ls", "zerver __child", "zerver __child x /a", "zerver __child 7"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn the_folder_of_the_sockets_is_ours_alone() {
        let folder = private_folder().unwrap();
        let mode = fs::metadata(folder.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
