//! Queries a service's program about itself: with an environment variable set, the program prints one JSON document and
//! exits.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::cargo::{self, Package};
use super::process::Process;
use crate::args::{Global, Program};
use crate::error::CommandError;

/// Something that a program prints about itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query {
    variable: &'static str,
    /// Name of the result, for errors.
    name: &'static str,
}

pub(crate) const FLOWS: Query = Query { variable: "ZERVER_CATALOG", name: "flows" };
pub(crate) const OPENAPI: Query = Query { variable: "ZERVER_OPENAPI", name: "OpenAPI document" };
pub(crate) const SETTINGS: Query = Query { variable: "ZERVER_SETTINGS", name: "settings" };

/// Maximum time for the answer. A program that knows the variable answers at once.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum length of the answer, in bytes.
const MAX_LEN: u64 = 16 << 20;

/// Builds the package unless a program is named, and queries its program.
pub(crate) fn query<T: DeserializeOwned>(
    app: &Path,
    program: &Program,
    global: &Global,
    query: Query,
) -> Result<T, CommandError> {
    let (exe, folder) = match &program.exe {
        Some(exe) => (exe.clone(), app.to_owned()),
        None => {
            let package = Package::find(app, program.bin.as_deref())?;
            (cargo::build(&package, program.release, global)?, package.folder)
        }
    };
    ask(&exe, &folder, query, Stdio::inherit())
}

/// Queries a program whose package is in `folder`. Its messages go to `stderr`.
pub(crate) fn ask<T: DeserializeOwned>(
    exe: &Path,
    folder: &Path,
    query: Query,
    stderr: Stdio,
) -> Result<T, CommandError> {
    let failed = || {
        CommandError::new(format!("cannot read the {} of {}", query.name, exe.display()))
            .with_hint("is it a zerver service? its main must hand its app to zerver")
    };
    let mut command = Command::new(exe);
    // As Cargo and `dev` do: the settings are in the package's folder.
    command.env("CARGO_MANIFEST_DIR", folder);
    command.env(query.variable, "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    let mut process = Process::spawn(&mut command).map_err(|error| failed().caused_by(&error))?;
    let stdout = process.stdout();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut out = Vec::new();
        let read = stdout.map_or(Ok(0), |stdout| stdout.take(MAX_LEN).read_to_end(&mut out));
        // Nothing receives it after the timeout.
        let _ = sender.send(read.map(|_| out));
    });
    let Ok(answer) = receiver.recv_timeout(TIMEOUT) else {
        let cause = format!("it was still running after {} s", TIMEOUT.as_secs());
        return Err(failed().with_cause(cause));
    };
    let answer = answer.map_err(|error| failed().caused_by(&error))?;
    let exit = process.reap().map_err(|error| failed().caused_by(&error))?;
    if !exit.is_success {
        let mut error = failed().with_cause(format!("it ended with {}", exit.text));
        if exit.is_start_error {
            error.hints = vec!["fix the error that it printed above".to_owned()];
        }
        return Err(error);
    }
    serde_json::from_slice(&answer).map_err(|error| failed().caused_by(&error))
}
