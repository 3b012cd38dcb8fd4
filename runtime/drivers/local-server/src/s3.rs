//! A temporary object store with the interface of Amazon S3.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use crate::ServerError;
use crate::installed_program::{folder_with, folders};
use crate::supervised_process::{SupervisedProcess, User};
use crate::temporary_folder::TemporaryFolder;

const INSTALL: &str = "s3s-fs (cargo install s3s-fs --features binary)";

/// Script that has the server say when it is ready, on the standard error.
const START: &str = r#"export RUST_LOG=s3s_fs=info; exec "$@" >&2"#;

/// An object store in a temporary folder, by the program `s3s-fs`. It ends when this is dropped.
#[derive(Debug)]
pub struct S3 {
    process: Option<SupervisedProcess>,
    program: PathBuf,
    port: u16,
    folder: TemporaryFolder,
}

impl S3 {
    /// Key with which requests are signed.
    pub const KEY: &str = "local-key";
    /// Secret of that key.
    pub const SECRET: &str = "local-secret";

    /// Starts a server with these buckets.
    ///
    /// # Errors
    /// If s3s-fs is not installed, or does not start.
    pub fn start(buckets: &[&str]) -> Result<Self, ServerError> {
        let cargo = std::env::var("HOME").map(|home| format!("{home}/.cargo/bin")).unwrap_or_default();
        let folders = folders(&[&cargo, "/usr/local/bin"]);
        let Some(programs) = folder_with(&folders, &["s3s-fs"]) else {
            return Err(ServerError::NotInstalled { program: "s3s-fs", package: INSTALL });
        };
        let folder = TemporaryFolder::new()
            .map_err(ServerError::io("cannot create a folder in", std::env::temp_dir()))?;
        for bucket in buckets {
            let path = folder.path().join("data").join(bucket);
            fs::create_dir_all(&path).map_err(ServerError::io("cannot create", path))?;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let port = listener
            .and_then(|listener| listener.local_addr())
            .map_err(ServerError::io("no free port on", "127.0.0.1"))?
            .port();
        let mut server = Self { process: None, program: programs.join("s3s-fs"), port, folder };
        server.resume()?;
        Ok(server)
    }

    /// Returns the URL of the server.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Stops the server. It keeps its objects until this is dropped.
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
        let mut server: Vec<OsString> = ["/bin/sh", "-c", START, "s3s-fs"].map(OsString::from).into();
        server.push(self.program.clone().into());
        server.extend(["--access-key", Self::KEY, "--secret-key", Self::SECRET].map(OsString::from));
        server.extend(["--host", "127.0.0.1", "--port", &self.port.to_string()].map(OsString::from));
        server.push(self.folder.path().join("data").into());
        let (user, folder) = (User::current(), self.folder.path());
        let is_ready = |line: &str| line.contains("server is running");
        let process = SupervisedProcess::start("s3s-fs", &user, &server, folder, "INT", is_ready)?;
        self.process = Some(process);
        Ok(())
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // Before the folder is removed.
        self.stop();
    }
}
