//! A temporary PostgreSQL server.

use std::ffi::OsString;
use std::path::Path;

use crate::ServerError;
use crate::installed_program::{folder_with, folders};
use crate::supervised_process::User;
use crate::temporary_server::{Launch, TemporaryServer, free_port, new_folder};

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
    server: TemporaryServer,
    tcp_port: Option<u16>,
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
        Self::start_with(Some(free_port()?), settings)
    }

    fn start_with(tcp_port: Option<u16>, settings: &[&str]) -> Result<Self, ServerError> {
        let folders = folders(&FOLDERS);
        let Some(programs) = folder_with(&folders, &["initdb", "postgres"]) else {
            return Err(ServerError::NotInstalled { program: "postgres", package: INSTALL });
        };
        let user = User::other_than_root("postgres", "postgres")?;
        let folder = new_folder()?;
        user.own(folder.path())?;
        let data = folder.path().join("data").into_os_string();
        let mut args: Vec<OsString> = vec!["--pgdata".into(), data];
        args.extend(
            ["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale"]
                .map(OsString::from),
        );
        user.run("initdb", &programs.join("initdb"), args)?;
        let mut command: Vec<OsString> = vec![programs.join("postgres").into(), "-D".into()];
        command.push(folder.path().join("data").into());
        command.extend(["-k".into(), folder.path().into()]);
        // The name of the socket contains the port, so both have the same. Over TCP it is a free one.
        let (address, port) = tcp_port.map_or(("", 5432), |port| ("127.0.0.1", port));
        let listening = [format!("listen_addresses={address}"), format!("port={port}")];
        let listening = listening.each_ref().map(String::as_str);
        for setting in SETTINGS.iter().chain(&listening).chain(settings) {
            command.extend(["-c".into(), setting.into()]);
        }
        let is_ready = |line: &str| line.contains("ready to accept connections");
        // SIGINT is the fast shutdown, which ends the connections.
        let launch = Launch { name: "postgres", user, command, signal: "INT", is_ready };
        Ok(Self { server: TemporaryServer::start(launch, folder)?, tcp_port })
    }

    /// Returns the URL of the database `postgres`.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Returns the URL of a database.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgresql:///{database}?host={}&user=postgres", self.folder().display())
    }

    /// Returns the folder that contains the socket `.s.PGSQL.5432`.
    pub fn folder(&self) -> &Path {
        self.server.folder()
    }

    /// Returns the TCP port on 127.0.0.1, if the server listens on one.
    pub const fn tcp_port(&self) -> Option<u16> {
        self.tcp_port
    }

    /// Stops the server. Its data stay until this is dropped.
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
