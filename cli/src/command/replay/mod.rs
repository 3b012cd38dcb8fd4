//! `zerver replay`: one request, run again by today's code.

mod host;

use std::path::{Path, PathBuf};

use serde::Serialize;
use zerver_replay::{Applied, Coverage, Edits, Finding, Opened, Report, Secrets};

use super::dev::cargo::{self, Package};
use crate::args::{Global, Program, Replay};
use crate::output::Output;
use crate::place::{self, Loaded};
use crate::trouble::{Done, Trouble};
use crate::view::replay::replay;

pub(super) fn run(args: &Replay, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let loaded = place::load(global, &args.id)?;
    let edits = Edits {
        slots: args.set.clone(),
        at: args.at.clone(),
        headers: args.request_header.clone(),
        body: args.request_body.clone().map(String::into_bytes),
        answers: args.answer.clone(),
    };
    let exe = program(args, &loaded, global)?;
    let opened = open(loaded.trace.clone(), &loaded, output);
    let mut host = host::Host::start(&exe)?;
    let answered = host.replay(opened, edits);
    let said = host.said();
    if output.is_verbose || answered.is_err() {
        said.iter().for_each(|line| output.say(&format!("the service said: {line}")));
    }
    let report = answered?;
    if !report.impossible.is_empty() {
        let id = loaded.trace.id.short(loaded.digits());
        let mut trouble = Trouble::new(format!("{id} cannot be replayed as it was recorded"));
        trouble.causes = report.impossible.clone();
        return Err(trouble);
    }
    let (recorded, replayed) = (loaded.trace.build.as_str(), host.build());
    if output.is_json {
        output.json(&Document::new(&loaded, &report, [recorded, replayed]))?;
    } else {
        if recorded != replayed && !recorded.is_empty() && !replayed.is_empty() {
            output.note(&format!(
                "recorded by build {}, replayed by build {}",
                zerver_trace::text::clean(recorded),
                zerver_trace::text::clean(replayed)
            ));
        }
        output.print(&replay(&report, output.width(), output.is_verbose))?;
    }
    Ok(if report.is_same() { Done::Fine } else { Done::Finding })
}

/// The program: the one that is named, or the package's, built.
fn program(args: &Replay, loaded: &Loaded, global: &Global) -> Result<PathBuf, Trouble> {
    if let Some(exe) = &args.program.exe {
        return Ok(exe.clone());
    }
    let app = args.app.clone().or_else(|| app_of(loaded.reader.as_ref()?.dir()));
    let package = Package::find(&app.unwrap_or_else(|| PathBuf::from(".")), args.program.bin.as_deref())?;
    cargo::build(&package, args.program.release, global)
}

/// The service that runs requests again.
#[derive(Debug, Clone, Default)]
pub(super) struct Replayer {
    /// The folder of its package; none means the one that the store is in, or else the current one.
    pub(super) app: Option<PathBuf>,
    /// Which of its programs, and how it is built.
    pub(super) program: Program,
}

/// Runs a request again and says nothing: also the build that ran it is given back. What the compiler and the service
/// said is among the causes where it fails.
pub(super) fn quietly(
    opened: Opened,
    edits: Edits,
    replayer: &Replayer,
    store: &Path,
) -> Result<(Report, String), Trouble> {
    let exe = match &replayer.program.exe {
        Some(exe) => exe.clone(),
        None => {
            let app = replayer.app.clone().or_else(|| app_of(store)).unwrap_or_else(|| PathBuf::from("."));
            cargo::build_quietly(
                &Package::find(&app, replayer.program.bin.as_deref())?,
                replayer.program.release,
            )?
        }
    };
    let mut host = host::Host::start(&exe)?;
    let build = host.build().to_owned();
    match host.replay(opened, edits) {
        Ok(report) => Ok((report, build)),
        Err(mut trouble) => {
            trouble.causes.extend(host.said().iter().map(|line| format!("the service said: {line}")));
            Err(trouble)
        }
    }
}

/// The package that a store is in: `APP/.zerver`.
fn app_of(store: &Path) -> Option<PathBuf> {
    let store = store.canonicalize().ok()?;
    let app = store.parent()?;
    (store.file_name()? == ".zerver" && app.join("Cargo.toml").is_file()).then(|| app.to_owned())
}

/// The trace with its secrets, as far as the store's key opens them.
fn open(trace: zerver_trace::Trace, loaded: &Loaded, output: &mut Output) -> Opened {
    let secrets = match loaded.reader.as_ref().map(|reader| reader.secrets(&trace)) {
        Some(Ok(secrets)) => secrets,
        Some(Err(error)) => {
            let error = error.to_string();
            output.warn(&format!("its secrets stay sealed: {}", zerver_trace::text::clean(&error)));
            Default::default()
        }
        None => Default::default(),
    };
    Opened { trace, secrets: Secrets(secrets) }
}

/// What `zerver replay --json` prints. Its fields are stable; more may come.
#[derive(Serialize)]
struct Document<'a> {
    id: String,
    flow: &'a str,
    verdict: &'static str,
    coverage: Coverage,
    findings: &'a [Finding],
    edits: &'a [Applied],
    not_compared: &'a [String],
    notes: &'a [String],
    response: Option<Response<'a>>,
    build: Builds<'a>,
}

#[derive(Serialize)]
struct Response<'a> {
    status: u16,
    headers: Vec<[&'a str; 2]>,
    body: Option<&'a str>,
    body_bytes: u64,
}

#[derive(Serialize)]
struct Builds<'a> {
    recorded: &'a str,
    replayed: &'a str,
}

impl<'a> Document<'a> {
    fn new(loaded: &'a Loaded, report: &'a Report, [recorded, replayed]: [&'a str; 2]) -> Self {
        Self {
            id: loaded.trace.id.to_string(),
            flow: &loaded.trace.flow.name,
            verdict: report.verdict(),
            coverage: report.coverage,
            findings: &report.findings,
            edits: &report.applied,
            not_compared: &report.not_compared,
            notes: &report.notes,
            response: report.response.as_ref().map(|response| Response {
                status: response.status,
                headers: response.headers.iter().map(|(name, value)| [&**name, &**value]).collect(),
                body: response.body.as_deref(),
                body_bytes: response.body_len,
            }),
            build: Builds { recorded, replayed },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_in_a_package_is_of_that_package() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join(".zerver");
        std::fs::create_dir(&store).unwrap();
        assert_eq!(app_of(&store), None);
        std::fs::write(dir.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(app_of(&store), Some(dir.path().canonicalize().unwrap()));
        assert_eq!(app_of(dir.path()), None);
    }
}
