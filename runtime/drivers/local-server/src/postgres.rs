//! A temporary PostgreSQL server.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use crate::ServerError;
use crate::installed_program::{folder_with, folders};
use crate::supervised_process::{SupervisedProcess, User};
use crate::temporary_folder::TemporaryFolder;

/// Folders of PostgreSQL's programs in addition to PATH: Debian, Fedora and others, Homebrew on both architectures.
const FOLDERS: [&str; 6] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/usr/local/pgsql/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

const INSTALL: &str =
    "PostgreSQL (Debian and Ubuntu: apt install postgresql; macOS: brew install postgresql)";

/// Settings that trade durability for speed, and make room for many connections.
const SETTINGS: [&str; 7] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "shared_buffers=32MB",
    "lc_messages=C",
    "log_min_messages=log",
];

/// A PostgreSQL server in a temporary folder. It has the database `postgres` and the user `postgres`, without a password.
/// It ends when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    process: Option<SupervisedProcess>,
    programs: PathBuf,
    user: User,
    tcp_port: Option<u16>,
    extra_settings: Vec<String>,
    folder: TemporaryFolder,
}

impl Postgres {
    /// Starts a server that listens on a socket in its folder.
    ///
    /// # Errors
    /// If PostgreSQL is not installed, or does not start.
    pub fn start() -> Result<Self, ServerError> {
        Self::start_with(None, &[])
    }

    /// Starts a server that also listens on a TCP port of this machine, with further settings: `["ssl=on"]`.
    ///
    /// # Errors
    /// If PostgreSQL is not installed, no port is free, or the server does not start.
    pub fn start_on_tcp(settings: &[&str]) -> Result<Self, ServerError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let port = listener
            .and_then(|listener| listener.local_addr())
            .map_err(ServerError::io("no free port on", "127.0.0.1"))?;
        Self::start_with(Some(port.port()), settings)
    }

    fn start_with(tcp_port: Option<u16>, settings: &[&str]) -> Result<Self, ServerError> {
        let folders = folders(&FOLDERS);
        let Some(programs) = folder_with(&folders, &["initdb", "postgres"]) else {
            return Err(ServerError::NotInstalled { program: "postgres", package: INSTALL });
        };
        let user = User::other_than_root("postgres", "postgres")?;
        let folder = TemporaryFolder::new()
            .map_err(ServerError::io("cannot create a folder in", std::env::temp_dir()))?;
        user.own(folder.path())?;
        let data = folder.path().join("data").into_os_string();
        let mut args: Vec<OsString> = vec!["--pgdata".into(), data];
        args.extend(
            ["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale"]
                .map(OsString::from),
        );
        user.run("initdb", &programs.join("initdb"), args)?;
        let extra_settings = settings.iter().map(ToString::to_string).collect();
        let programs = programs.to_owned();
        let mut server = Self { process: None, programs, user, tcp_port, extra_settings, folder };
        server.resume()?;
        Ok(server)
    }

    /// Returns the URL of the database `postgres`.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Returns the URL of a database.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgresql:///{database}?host={}&user=postgres", self.folder.path().display())
    }

    /// Returns the folder that contains the socket `.s.PGSQL.5432`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the TCP port on 127.0.0.1, if the server listens on one.
    pub const fn tcp_port(&self) -> Option<u16> {
        self.tcp_port
    }

    /// Stops the server. Its data stay until this is dropped.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop();
        }
    }

    /// Starts the server again after [`stop`](Self::stop).
    ///
    /// # Errors
    /// If the server does not start.
    pub fn resume(&mut self) -> Result<(), ServerError> {
        if self.process.is_some() {
            return Ok(());
        }
        let folder = self.folder.path();
        let mut server: Vec<OsString> = vec![self.programs.join("postgres").into(), "-D".into()];
        server.push(folder.join("data").into());
        server.extend(["-k".into(), folder.into()]);
        // The name of the socket contains the port, so both have the same. Over TCP it is a free one.
        let (address, port) = self.tcp_port.map_or(("", 5432), |port| ("127.0.0.1", port));
        let listening = [format!("listen_addresses={address}"), format!("port={port}")];
        let settings = SETTINGS.iter().map(ToString::to_string).chain(listening);
        for setting in settings.chain(self.extra_settings.iter().cloned()) {
            server.extend(["-c".into(), setting.into()]);
        }
        let is_ready = |line: &str| line.contains("ready to accept connections");
        // SIGINT is the fast shutdown, which ends the connections.
        self.process =
            Some(SupervisedProcess::start("postgres", &self.user, &server, folder, "INT", is_ready)?);
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Before the folder is removed.
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_server_starts_stops_and_starts_again_and_leaves_nothing() {
        let mut server = Postgres::start().unwrap();
        let folder = server.folder().to_owned();
        let socket = folder.join(".s.PGSQL.5432");
        UnixStream::connect(&socket).unwrap();
        server.stop();
        UnixStream::connect(&socket).unwrap_err();
        server.resume().unwrap();
        UnixStream::connect(&socket).unwrap();
        drop(server);
        assert!(!folder.exists());
    }
}
