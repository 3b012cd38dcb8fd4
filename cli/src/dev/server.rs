//! The service as a child process, and the contract with it.
//!
//! The service gets:
//! - the listening socket as an inherited descriptor (`LISTEN_FDS=1`, `LISTEN_FDS_FIRST_FD`), like systemd's socket
//!   activation, but without `LISTEN_PID`, since its id is not known in advance;
//! - `ZERVER_ADDR`, `ZERVER_STORE`, `ZERVER_RECORD=all`, `ZERVER_DEV=1`;
//! - `ZERVER_CHAOS_RULES` and `ZERVER_CHAOS_SEED` during a drill;
//! - `CARGO_MANIFEST_DIR`, as Cargo sets it: the folder of `zerver.toml`;
//! - the URLs of the servers in `dev.servers`, and their names in `ZERVER_DEV_STARTED`;
//! - `NOTIFY_SOCKET` (see sd_notify(3)), to which it sends `READY=1` when it serves.
//!
//! On SIGTERM it finishes its requests and exits with 0. Its output goes to our standard error or to the terminal UI, each
//! line sanitized.

use std::env;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

use rustix::io::{FdFlags, fcntl_setfd};
use tempfile::TempDir;

use super::exec_child;
use crate::error::CommandError;
use crate::service::output_lines::Relay;
use crate::service::process::{Process, spawn_lock};

/// Datagram that ends the thread which waits for `READY=1`.
const STOP_WAITING: &[u8] = b"X_ZERVER_ENOUGH=1";
/// Longest folder whose sockets still fit into a socket address, in bytes (see unix(7)).
const MAX_FOLDER: usize = 80;

/// Starts the servers of one `dev`, one after another.
pub(super) struct ServerLauncher {
    listener: TcpListener,
    addr: SocketAddr,
    store: PathBuf,
    args: Vec<OsString>,
    /// Variables of the service in addition to those of every service.
    variables: Vec<(&'static str, OsString)>,
    working_folder: PathBuf,
    package_folder: PathBuf,
    sockets: TempDir,
}

impl ServerLauncher {
    pub(super) fn new(
        listener: TcpListener,
        addr: SocketAddr,
        store: PathBuf,
        working_folder: PathBuf,
        package_folder: PathBuf,
        args: Vec<OsString>,
        variables: Vec<(&'static str, OsString)>,
    ) -> Result<Self, CommandError> {
        let sockets = private_folder()
            .map_err(|error| CommandError::new("cannot create a folder for a socket").caused_by(&error))?;
        Ok(Self { listener, addr, store, args, variables, working_folder, package_folder, sockets })
    }

    /// Starts a server with piped output, and with these variables, too. `ready` and `ended` are called on other threads.
    pub(super) fn start(
        &self,
        exe: &Path,
        generation: u64,
        variables: Vec<(String, OsString)>,
        ready: impl Fn() + Send + 'static,
        ended: impl FnOnce() + Send + 'static,
    ) -> Result<Server, CommandError> {
        let failed =
            |error: &io::Error| CommandError::new(format!("cannot run {}", exe.display())).caused_by(error);
        let notify = self.sockets.path().join(format!("notify-{generation}"));
        let socket = UnixDatagram::bind(&notify).map_err(|error| failed(&error))?;
        let mut command = exec_child::command(exe);
        command
            .args(&self.args)
            .current_dir(&self.working_folder)
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDNAMES")
            .env("LISTEN_FDS", "1")
            .env("LISTEN_FDS_FIRST_FD", self.listener.as_raw_fd().to_string())
            .env("CARGO_MANIFEST_DIR", &self.package_folder)
            .env("ZERVER_ADDR", self.addr.to_string())
            .env("ZERVER_STORE", &self.store)
            .env("ZERVER_RECORD", "all")
            .env("ZERVER_DEV", "1")
            .env("NOTIFY_SOCKET", &notify)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .envs(variables)
            .stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // Only this child may inherit the socket.
        let _lock = spawn_lock();
        let set_flags = |flags| fcntl_setfd(&self.listener, flags).map_err(io::Error::from);
        let spawned = set_flags(FdFlags::empty()).and_then(|()| Process::spawn(&mut command));
        set_flags(FdFlags::CLOEXEC).map_err(|error| failed(&error))?;
        let process = spawned.map_err(|error| failed(&error))?;
        process.when_ended(ended);
        thread::spawn(move || wait_for_ready(&socket, &ready));
        Ok(Server { process, notify, outputs: Vec::new() })
    }
}

/// A running server. It is killed when dropped.
pub(super) struct Server {
    pub(super) process: Process,
    /// Standard output and standard error.
    pub(super) outputs: Vec<Relay>,
    notify: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let stop = || UnixDatagram::unbound()?.send_to(STOP_WAITING, &self.notify);
        // If this fails, the thread waits until we exit.
        let _ = stop();
        let _ = fs::remove_file(&self.notify);
    }
}

fn wait_for_ready(socket: &UnixDatagram, ready: &impl Fn()) {
    let mut buffer = [0; 4096];
    while let Ok(len) = socket.recv(&mut buffer) {
        if &buffer[..len] == STOP_WAITING {
            return;
        }
        if buffer[..len].split(|&byte| byte == b'\n').any(|line| line == b"READY=1") {
            ready();
        }
    }
}

/// Creates a folder that only we can enter, with a path short enough for a socket address.
fn private_folder() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("zerver-").permissions(Permissions::from_mode(0o700));
    let usual = env::temp_dir();
    let folder = if usual.as_os_str().as_bytes().len() > MAX_FOLDER { Path::new("/tmp") } else { &usual };
    builder.tempdir_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_the_sockets_is_private() {
        let folder = private_folder().unwrap();
        let mode = fs::metadata(folder.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
