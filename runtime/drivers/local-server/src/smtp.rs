//! A temporary SMTP server, which keeps the mails that it gets.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ServerError;
use crate::installed_program::folders;
use crate::supervised_process::User;
use crate::temporary_server::{Launch, TemporaryServer, free_port, new_folder};

const PROGRAM: &str = include_str!("smtp_server.py");

const INSTALL: &str =
    "Python 3 with aiosmtpd (pip install aiosmtpd; Debian and Ubuntu: apt install python3-aiosmtpd)";

/// An SMTP server of Python's `aiosmtpd` in a temporary folder. It ends when this is dropped.
///
/// Each mail is kept as a JSON document. The server refuses recipients `busy@..` with 451, `absent@..` with 550, and the
/// content of mails to `spam@..` with 554. It closes the connection in place of an answer to the content of mails to
/// `vanish@..`.
#[derive(Debug)]
pub struct Smtp {
    server: TemporaryServer,
    port: u16,
}

impl Smtp {
    /// Starts a server with further settings: `["--encryption", "tls", "--certificate", "c.pem", "--key", "k.pem"]`,
    /// `["--login", "user:password"]`.
    ///
    /// # Errors
    /// If Python or aiosmtpd is not installed, or the server does not start.
    pub fn start(settings: &[&str]) -> Result<Self, ServerError> {
        let not_installed = || ServerError::NotInstalled { program: "aiosmtpd", package: INSTALL };
        let folders = folders(&["/usr/bin", "/usr/local/bin"]);
        // The first Python on PATH need not be the one for which the package is installed.
        let can_import = |program: &PathBuf| {
            let output = Command::new(program).args(["-c", "import aiosmtpd"]).output();
            output.is_ok_and(|output| output.status.success())
        };
        let programs = folders.iter().map(|folder| folder.join("python3"));
        let program =
            programs.filter(|program| program.is_file()).find(can_import).ok_or_else(not_installed)?;
        let folder = new_folder()?;
        let script = folder.path().join("server.py");
        fs::write(&script, PROGRAM).map_err(ServerError::io("cannot write", &script))?;
        let port = free_port()?;
        let mut command: Vec<OsString> = vec![program.into(), script.into()];
        command.extend(["--folder".into(), folder.path().into(), "--port".into(), port.to_string().into()]);
        command.extend(settings.iter().map(OsString::from));
        let is_ready = |line: &str| line.contains("ready to accept connections");
        let launch = Launch { name: "aiosmtpd", user: User::current(), command, signal: "TERM", is_ready };
        Ok(Self { server: TemporaryServer::start(launch, folder)?, port })
    }

    /// Returns the port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the JSON documents of the mails so far: `from`, `to`, `content`, `is_encrypted` and `user`.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn mails(&self) -> Result<Vec<String>, ServerError> {
        let folder = self.server.folder();
        let entries = fs::read_dir(folder).map_err(ServerError::io("cannot read", folder))?;
        let paths = entries.flatten().map(|entry| entry.path());
        let mut paths: Vec<_> = paths.filter(|path| has_extension(path, "json")).collect();
        paths.sort();
        let read = |path: PathBuf| fs::read_to_string(&path).map_err(ServerError::io("cannot read", path));
        paths.into_iter().map(read).collect()
    }

    /// Stops the server. It keeps its mails until this is dropped.
    pub fn stop(&mut self) {
        self.server.stop();
    }

    /// Starts the server again after [`stop`](Self::stop).
    ///
    /// # Errors
    /// If the server does not start.
    pub fn resume(&mut self) -> Result<(), ServerError> {
        self.server.resume()
    }
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}
