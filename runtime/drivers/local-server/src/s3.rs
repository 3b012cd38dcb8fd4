//! A temporary object store with the interface of Amazon S3.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use crate::ServerError;
use crate::installed_program::{folder_with, folders};
use crate::supervised_process::User;
use crate::temporary_server::{Launch, TemporaryServer, free_port, new_folder};

const INSTALL: &str = "s3s-fs (cargo install s3s-fs --features binary)";

/// Script that has the server say when it is ready, on the standard error.
const START: &str = r#"export RUST_LOG=s3s_fs=info; exec "$@" >&2"#;

/// An object store in a temporary folder, by the program `s3s-fs`. It ends when this is dropped.
#[derive(Debug)]
pub struct S3 {
    server: TemporaryServer,
    port: u16,
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
        let folder = new_folder()?;
        for bucket in buckets {
            let path = folder.path().join("data").join(bucket);
            fs::create_dir_all(&path).map_err(ServerError::io("cannot create", path))?;
        }
        let port = free_port()?;
        let mut command: Vec<OsString> = ["/bin/sh", "-c", START, "s3s-fs"].map(OsString::from).into();
        command.push(programs.join("s3s-fs").into());
        command.extend(["--access-key", Self::KEY, "--secret-key", Self::SECRET].map(OsString::from));
        command.extend(["--host", "127.0.0.1", "--port", &port.to_string()].map(OsString::from));
        command.push(folder.path().join("data").into());
        let is_ready = |line: &str| line.contains("server is running");
        let launch = Launch { name: "s3s-fs", user: User::current(), command, signal: "INT", is_ready };
        Ok(Self { server: TemporaryServer::start(launch, folder)?, port })
    }

    /// Returns the URL of the server.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the folder with the objects of a bucket, which are files.
    pub fn bucket_folder(&self, bucket: &str) -> PathBuf {
        self.server.folder().join("data").join(bucket)
    }

    /// Stops the server. It keeps its objects until this is dropped.
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
