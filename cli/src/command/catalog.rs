//! `zerver catalog`: the flows, from the store or from the program itself.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use zerver_trace::FlowInfo;

use super::dev::cargo::{self, Package};
use super::dev::process::Process;
use crate::args::{Catalog, Global};
use crate::output::Output;
use crate::place;
use crate::trouble::{Done, Trouble};
use crate::view::flows;

/// A program that knows what it is asked answers at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// No catalog is larger.
const MAX_LEN: u64 = 16 << 20;

pub(super) fn run(args: &Catalog, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let found = match (&args.program.exe, &args.app) {
        (Some(exe), _) => ask(exe)?,
        (None, Some(app)) => {
            let package = Package::find(app, args.program.bin.as_deref())?;
            let exe = cargo::build(&package, args.program.release, global)?;
            ask(&exe)?
        }
        (None, None) => {
            let dir = place::store(global)?;
            place::reader(&dir)?.catalog().map_err(|error| place::unreadable(&dir, &error))?
        }
    };
    if output.is_json {
        output.json(&Document { flows: &found })?;
    } else if found.is_empty() {
        output.note("no flows");
    } else {
        output.print(&flows::catalog(&found, output.columns()))?;
    }
    Ok(Done::Fine)
}

/// `{"flows": [..]}`, each as [`FlowInfo`] serialises.
#[derive(Serialize)]
struct Document<'a> {
    flows: &'a [FlowInfo],
}

/// Runs a program with `ZERVER_CATALOG=1`: it prints its flows as one JSON array and exits.
fn ask(exe: &Path) -> Result<Vec<FlowInfo>, Trouble> {
    let trouble = || {
        Trouble::new(format!("cannot ask {} for its flows", exe.display()))
            .hint("is it a zerver service, whose main hands its app to zerver?")
    };
    let mut command = Command::new(exe);
    command.env("ZERVER_CATALOG", "1").stdin(Stdio::null()).stdout(Stdio::piped());
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
        trouble.causes.push(format!("it ended with {}", status.text));
        return Err(trouble);
    }
    serde_json::from_slice(&answer).map_err(|error| trouble().because(&error))
}
