//! A server in a temporary folder, which can be stopped and started again.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use crate::ServerError;
use crate::supervised_process::{SupervisedProcess, User};
use crate::temporary_folder::TemporaryFolder;

/// A server with its folder. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct TemporaryServer {
    process: Option<SupervisedProcess>,
    launch: Launch,
    folder: TemporaryFolder,
}

/// Command that starts a server, and signal that ends it.
#[derive(Debug)]
pub(crate) struct Launch {
    /// Name for errors.
    pub(crate) name: &'static str,
    pub(crate) user: User,
    /// Program and arguments.
    pub(crate) command: Vec<OsString>,
    /// Signal that ends the server: `INT`, `TERM`.
    pub(crate) signal: &'static str,
    /// Returns true for the line of output with which the server says that it is ready.
    pub(crate) is_ready: fn(&str) -> bool,
}

impl TemporaryServer {
    /// Starts a server in a folder, which is removed with it.
    pub(crate) fn start(launch: Launch, folder: TemporaryFolder) -> Result<Self, ServerError> {
        let mut server = Self { process: None, launch, folder };
        server.resume()?;
        Ok(server)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the server. Its folder stays.
    pub(crate) fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop();
        }
    }

    /// Starts the server again, if it was stopped.
    pub(crate) fn resume(&mut self) -> Result<(), ServerError> {
        if self.process.is_none() {
            let Launch { name, user, command, signal, is_ready } = &self.launch;
            let process =
                SupervisedProcess::start(name, user, command, self.folder.path(), signal, *is_ready)?;
            self.process = Some(process);
        }
        Ok(())
    }
}

impl Drop for TemporaryServer {
    fn drop(&mut self) {
        // Before the folder is removed.
        self.stop();
    }
}

/// Creates an empty folder for a server.
pub(crate) fn new_folder() -> Result<TemporaryFolder, ServerError> {
    TemporaryFolder::new().map_err(ServerError::io("cannot create a folder in", std::env::temp_dir()))
}

/// Returns a TCP port of 127.0.0.1 that is free now.
pub(crate) fn free_port() -> Result<u16, ServerError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(ServerError::io("no free port on", "127.0.0.1"))
}
