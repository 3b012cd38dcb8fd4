//! A temporary PgBouncer before a temporary PostgreSQL server.

use std::ffi::OsString;
use std::fs;

use crate::installed_program::{folder_with, folders};
use crate::supervised_process::User;
use crate::temporary_server::{Launch, TemporaryServer, new_folder};
use crate::{Postgres, ServerError};

/// Folders of the program in addition to PATH.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/opt/homebrew/bin", "/usr/local/bin"];

const INSTALL: &str = "PgBouncer (Debian and Ubuntu: apt install pgbouncer; macOS: brew install pgbouncer)";

/// A PgBouncer that pools transactions, with a socket in a temporary folder. It ends when this is dropped.
#[derive(Debug)]
pub struct PgBouncer {
    server: TemporaryServer,
}

impl PgBouncer {
    /// Starts a pool with this number of connections to a server, whose clients all are its user `postgres`.
    ///
    /// # Errors
    /// If PgBouncer is not installed, or does not start.
    pub fn start(postgres: &Postgres, connections: u16) -> Result<Self, ServerError> {
        let folders = folders(&FOLDERS);
        let Some(programs) = folder_with(&folders, &["pgbouncer"]) else {
            return Err(ServerError::NotInstalled { program: "pgbouncer", package: INSTALL });
        };
        let user = User::other_than_root("pgbouncer", "postgres")?;
        let folder = new_folder()?;
        let settings = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={} user=postgres\n[pgbouncer]\nunix_socket_dir = {}\nlisten_port = 6432\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = {connections}\n\
             ignore_startup_parameters = extra_float_digits\n",
            postgres.folder().display(),
            folder.path().display(),
        );
        fs::write(&settings, text).map_err(ServerError::io("cannot write", &settings))?;
        user.own(folder.path())?;
        let command: Vec<OsString> = vec![programs.join("pgbouncer").into(), settings.into()];
        let is_ready = |line: &str| line.contains("process up");
        let launch = Launch { name: "pgbouncer", user, command, signal: "TERM", is_ready };
        Ok(Self { server: TemporaryServer::start(launch, folder)? })
    }

    /// Returns the URL of the database `postgres` through the pool.
    pub fn url(&self) -> String {
        format!("postgresql:///postgres?host={}&port=6432&user=postgres", self.server.folder().display())
    }
}
