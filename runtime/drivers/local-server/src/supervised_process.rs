//! A process that ends with this one, and that can run as another user.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::ServerError;
use crate::installed_program::folder_with;

/// Script that runs the server and ends it when its standard input ends, which happens at the latest when the process
/// that has the other end of the pipe ends, however it does. A server in the background of a shell reads from
/// `/dev/null`. It then removes the folder, which this process may no longer be there to do.
const SCRIPT: &str = r#"
folder=$1 signal=$2
shift 2
"$@" &
server=$!
read -r command
kill -"$signal" "$server" 2>/dev/null
wait "$server"
[ "$command" = keep ] || rm -rf "$folder"
"#;

/// Longest time that a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Time for a server that fails to say why.
const LAST_LINES: Duration = Duration::from_millis(300);

/// Number of lines of output that are kept for errors.
const KEPT_LINES: usize = 40;

/// User as which a server runs.
#[derive(Debug, Clone)]
pub(crate) struct User {
    /// Command that precedes the server's, if it is another user than the current one.
    prefix: Vec<OsString>,
    /// User and group to which files must belong, if they are others than the current ones.
    ids: Option<(u32, u32)>,
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct SupervisedProcess {
    supervisor: Child,
    /// Its end stops the server.
    stdin: Option<ChildStdin>,
    keeps_folder: bool,
}

/// The last lines that a server printed.
type Output = Arc<Mutex<VecDeque<String>>>;

impl User {
    /// Returns the current user.
    pub(crate) const fn current() -> Self {
        Self { prefix: Vec::new(), ids: None }
    }

    /// Returns the current user, or one that is not root if the current one is.
    pub(crate) fn other_than_root(program: &'static str, preferred: &str) -> Result<Self, ServerError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self { prefix: Vec::new(), ids: None });
        }
        let (name, (uid, gid)) = [preferred, "nobody"]
            .into_iter()
            .find_map(|name| Some((name, user_ids(name)?)))
            .unwrap_or(("nobody", (65534, 65534)));
        let folders = crate::installed_program::folders(&["/usr/bin", "/usr/sbin", "/sbin", "/bin"]);
        let in_folder = |folder: &Path, name: &str| folder.join(name).into_os_string();
        let prefix = if let Some(folder) = folder_with(&folders, &["setpriv"]) {
            let ids = [format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()];
            [in_folder(folder, "setpriv")].into_iter().chain(ids.map(OsString::from)).collect()
        } else if let Some(folder) = folder_with(&folders, &["runuser"]) {
            vec![in_folder(folder, "runuser"), "-u".into(), name.into(), "--".into()]
        } else {
            return Err(ServerError::Root { program, user: name.to_owned() });
        };
        Ok(Self { prefix, ids: Some((uid, gid)) })
    }

    /// Gives a folder to the user.
    pub(crate) fn own(&self, folder: &Path) -> Result<(), ServerError> {
        let Some((uid, gid)) = self.ids else { return Ok(()) };
        std::os::unix::fs::chown(folder, Some(uid), Some(gid))
            .map_err(ServerError::io("cannot change the owner of", folder))
    }

    /// Returns the command that runs a program as the user.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut words = self.prefix.iter().cloned().chain([program.as_os_str().to_owned()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).current_dir("/");
        command
    }

    /// Runs a program to its end.
    pub(crate) fn run(
        &self,
        name: &'static str,
        program: &Path,
        args: impl IntoIterator<Item = OsString>,
    ) -> Result<(), ServerError> {
        let output = self.command(program).args(args).stdin(Stdio::null()).output();
        let output = output.map_err(ServerError::io("cannot run", program))?;
        if output.status.success() {
            return Ok(());
        }
        let text = [&*output.stdout, &*output.stderr].concat();
        let output = format!("{}: {}", output.status, String::from_utf8_lossy(&text).trim());
        Err(ServerError::Failed { program: name, output })
    }
}

/// Returns user and group of a name, as `/etc/passwd` has them.
fn user_ids(name: &str) -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

impl SupervisedProcess {
    /// Starts a server and waits until it prints a line for which `is_ready` returns true. `signal` is the name of the
    /// signal that ends it. `folder` is removed when this process ends without having stopped the server.
    pub(crate) fn start(
        name: &'static str,
        user: &User,
        server: &[OsString],
        folder: &Path,
        signal: &str,
        is_ready: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Self, ServerError> {
        let shell = PathBuf::from("/bin/sh");
        let mut command = user.command(&shell);
        command.arg("-c").arg(SCRIPT).arg(name).arg(folder).arg(signal).args(server);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        // Ctrl-C in a terminal is for this process, which may still need the server to finish its work.
        command.process_group(0);
        let mut supervisor = command.spawn().map_err(ServerError::io("cannot run", shell))?;
        let stdin = supervisor.stdin.take();
        let output = Output::default();
        let (ready_tx, ready_rx) = mpsc::channel();
        let reader = supervisor.stderr.take().map(|stderr| {
            let output = Arc::clone(&output);
            // Reads to the end, so that the server is never blocked by a full pipe.
            thread::spawn(move || {
                for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line).into_owned();
                    if is_ready(&line) {
                        let _ = ready_tx.send(());
                    }
                    let mut lines = output.lock().unwrap_or_else(PoisonError::into_inner);
                    if lines.len() == KEPT_LINES {
                        lines.pop_front();
                    }
                    lines.push_back(line);
                    if lines.back().is_some_and(|line| is_fatal(line)) {
                        // A server that does not start says why in one such line.
                        let _ = ready_tx.send(());
                    }
                }
            })
        });
        let process = Self { supervisor, stdin, keeps_folder: false };
        let ready = ready_rx.recv_timeout(START_TIMEOUT);
        let has_failed = |lines: &VecDeque<String>| lines.iter().any(|line| is_fatal(line));
        if ready.is_ok() && !has_failed(&output.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(process);
        }
        if ready.is_ok() {
            // A server that ends by itself may say more about the reason.
            thread::sleep(LAST_LINES);
        }
        // Ends the server, so that its last lines arrive.
        drop(process);
        reader.map(thread::JoinHandle::join);
        let lines = output.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
        if ready == Err(RecvTimeoutError::Timeout) {
            text = format!("not ready after {START_TIMEOUT:?}\n{text}");
        }
        Err(ServerError::Failed { program: name, output: text })
    }

    /// Stops the server and leaves its folder in place.
    pub(crate) fn stop(mut self) {
        self.keeps_folder = true;
    }
}

impl Drop for SupervisedProcess {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.stdin.take()
            && self.keeps_folder
        {
            let _ = std::io::Write::write_all(&mut stdin, b"keep\n");
        }
        let _ = self.supervisor.wait();
    }
}

/// Returns true for the line with which a server says why it does not start. PostgreSQL also refuses a client with such a
/// line, if one connects too early.
fn is_fatal(line: &str) -> bool {
    line.contains("FATAL") && !line.contains("the database system is ")
}
