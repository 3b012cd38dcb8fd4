//! A temporary Redis server.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::ServerError;
use crate::installed_program::{folder_with, folders};
use crate::supervised_process::User;
use crate::temporary_server::{Launch, TemporaryServer, new_folder};

/// Folders of the program in addition to PATH.
const FOLDERS: [&str; 4] = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", "/usr/local/sbin"];

const INSTALL: &str = "Redis (Debian and Ubuntu: apt install redis-server; macOS: brew install redis)";

/// Name of the socket in the folder.
const SOCKET: &str = "redis.sock";

/// Script that sends the log of the server, which it writes to its standard output, to the standard error.
const LOG_TO_STDERR: &str = r#"exec "$@" >&2"#;

/// A Redis server in a temporary folder, without a password. It ends when this is dropped.
#[derive(Debug)]
pub struct Redis {
    server: TemporaryServer,
}

impl Redis {
    /// Starts a server that listens on a socket in its folder.
    ///
    /// # Errors
    /// If Redis is not installed, or does not start.
    pub fn start() -> Result<Self, ServerError> {
        Self::start_with(&[])
    }

    /// Starts a server with further settings: `["--port", "6400"]`.
    ///
    /// # Errors
    /// If Redis is not installed, or does not start.
    pub fn start_with(settings: &[&str]) -> Result<Self, ServerError> {
        let folders = folders(&FOLDERS);
        let Some(programs) = folder_with(&folders, &["redis-server"]) else {
            return Err(ServerError::NotInstalled { program: "redis-server", package: INSTALL });
        };
        let folder = new_folder()?;
        let mut command: Vec<OsString> =
            ["/bin/sh", "-c", LOG_TO_STDERR, "redis-server"].map(OsString::from).into();
        command.push(programs.join("redis-server").into());
        let option = |name: &str, value: OsString| [OsString::from(name), value];
        command.extend(option("--dir", folder.path().into()));
        command.extend(option("--unixsocket", folder.path().join(SOCKET).into()));
        // A server that is stopped by a signal writes its data if it would ever save them.
        let fixed = ["--port", "0", "--unixsocketperm", "700", "--save", "3600 1", "--appendonly", "no"];
        command.extend(fixed.iter().chain(settings).copied().map(OsString::from));
        let is_ready = |line: &str| line.contains("eady to accept connections");
        let launch =
            Launch { name: "redis-server", user: User::current(), command, signal: "TERM", is_ready };
        Ok(Self { server: TemporaryServer::start(launch, folder)? })
    }

    /// Returns the URL of the server.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Returns the path of the socket.
    pub fn socket(&self) -> PathBuf {
        self.folder().join(SOCKET)
    }

    /// Returns the folder of the server.
    pub fn folder(&self) -> &Path {
        self.server.folder()
    }

    /// Stops the server, and saves its data until this is dropped.
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
        let mut server = Redis::start().unwrap();
        let (folder, socket) = (server.folder().to_owned(), server.socket());
        UnixStream::connect(&socket).unwrap();
        server.stop();
        UnixStream::connect(&socket).unwrap_err();
        server.resume().unwrap();
        UnixStream::connect(&socket).unwrap();
        drop(server);
        assert!(!folder.exists());
    }

    #[test]
    fn a_server_that_does_not_start_says_why() {
        let error = Redis::start_with(&["--no-such-setting", "1"]).unwrap_err().to_string();
        assert!(error.contains("no-such-setting"), "{error}");
    }
}
