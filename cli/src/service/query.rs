//! Asks a service's program for something it knows of itself: by an environment variable, at which it prints one JSON
//! document and exits.

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
use crate::error::Trouble;

/// The variable at which a program prints its flows, and the word for them.
pub(crate) const CATALOG: (&str, &str) = ("ZERVER_CATALOG", "flows");
/// The variable at which a program prints its settings, and the word for them.
pub(crate) const SETTINGS: (&str, &str) = ("ZERVER_SETTINGS", "settings");
/// A program that knows what it is asked answers at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// No answer is longer.
const MAX_LEN: u64 = 16 << 20;

/// Builds a package where that is to be, and asks its program for `what` by setting `variable` to 1.
pub(crate) fn program<T: DeserializeOwned>(
    app: &Path,
    program: &Program,
    global: &Global,
    (variable, what): (&str, &str),
) -> Result<T, Trouble> {
    let (exe, folder) = match &program.exe {
        Some(exe) => (exe.clone(), app.to_owned()),
        None => {
            let package = Package::find(app, program.bin.as_deref())?;
            (cargo::build(&package, program.release, global)?, package.folder)
        }
    };
    let trouble = || {
        Trouble::new(format!("cannot ask {} for its {what}", exe.display()))
            .hint("is it a zerver service, whose main hands its app to zerver?")
    };
    let mut command = Command::new(&exe);
    // As Cargo does, and `dev`: the settings are in the package's folder.
    command.env("CARGO_MANIFEST_DIR", folder);
    command.env(variable, "1").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = Process::spawn(&mut command).map_err(|error| trouble().because(&error))?;
    let stdout = process.stdout();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut out = Vec::new();
        let read = stdout.map_or(Ok(0), |stdout| stdout.take(MAX_LEN).read_to_end(&mut out));
        // Nobody listens any more when the time is over.
        let _ = tell.send(read.map(|_| out));
    });
    let Ok(answer) = told.recv_timeout(PATIENCE) else {
        let mut trouble = trouble();
        trouble.causes.push(format!("it was still running after {} s", PATIENCE.as_secs()));
        return Err(trouble);
    };
    let answer = answer.map_err(|error| trouble().because(&error))?;
    let status = process.reap().map_err(|error| trouble().because(&error))?;
    if !status.is_success {
        let mut trouble = trouble();
        if status.is_trouble {
            trouble.hints = vec!["what it says above is to be mended first".to_owned()];
        }
        trouble.causes.push(format!("it ended with {}", status.text));
        return Err(trouble);
    }
    serde_json::from_slice(&answer).map_err(|error| trouble().because(&error))
}
