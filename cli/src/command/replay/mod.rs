//! `zerver replay`: one request, run again by today's code; or many.

mod all;
mod edit;
pub(crate) mod faults;
mod host;
mod pool;
mod quiet;

use std::path::{Path, PathBuf};

use serde::Serialize;
use zerver_recorder::Reader;
use zerver_replay::{AppliedEdit, Coverage, EditedOutcome, Edits, Finding, Recording, Report, Secrets};
use zerver_trace::Recorded;

pub(super) use self::quiet::{Current, Replayer};
use super::dev::cargo::{self, Package};
use crate::args::{Global, Program, Replay};
use crate::output::Output;
use crate::place::{self, Loaded};
use crate::trouble::{Done, Trouble};
use crate::view::replay::replay;

pub(super) fn run(args: &Replay, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let mut edits = edits(args);
    let Some(id) = &args.id else {
        if edits != Edits::default() || args.edit || args.faults {
            return Err(Trouble::new("an edit is for one request, and --all is for many")
                .hint("name one request instead of --all"));
        }
        return all::run(args.all.as_deref().unwrap_or_default(), args, global, output);
    };
    if args.filter != Default::default() || args.limit.0.is_some() || args.package.is_some() {
        return Err(Trouble::new("filters, --limit and --app are for many requests, and one is named")
            .hint("leave them out, or take --all instead of the name"));
    }
    let loaded = place::load(global, id)?;
    if args.edit {
        edits.slots.extend(edit::edit(&loaded.trace, output)?);
        if edits.is_empty() {
            output.note("nothing was changed, so nothing is run");
            return Ok(Done::Fine);
        }
    }
    let store = loaded.reader.as_ref().map(Reader::dir);
    let exe = program(args.app.as_ref(), &args.program, store, global)?;
    let opened = open(loaded.trace.clone(), &loaded, output);
    if args.faults {
        return faults::run(&exe, &opened, &edits, &loaded, output);
    }
    let mut host = host::Host::start(&exe)?;
    let answered = host.replay(opened, edits, &mut |effect| announce(effect, output));
    let said = host.said();
    if output.is_verbose || answered.is_err() {
        said.iter().for_each(|line| output.say(&format!("the service said: {line}")));
    }
    let report = possible(answered?, &loaded)?;
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
    Ok(report.sameness().into())
}

/// Says which effect is about to be performed for real.
fn announce(effect: &str, output: &mut Output) {
    output.say(&format!("live: {}", zerver_trace::text::clean(effect)));
}

fn edits(args: &Replay) -> Edits {
    Edits {
        slots: args.set.clone(),
        at: args.at.clone(),
        headers: args.request_header.clone(),
        body: args.request_body.clone().map(String::into_bytes),
        answers: args.answer.clone(),
        faults: [args.fail.clone(), args.latency.clone()].concat(),
        live: args.live.clone(),
    }
}

/// The report, if there is anything in it.
fn possible(report: Report, loaded: &Loaded) -> Result<Report, Trouble> {
    if report.missing_inputs.is_empty() {
        return Ok(report);
    }
    let id = loaded.trace.id.short(loaded.digits());
    let mut trouble = Trouble::new(format!("{id} cannot be replayed as it was recorded"));
    trouble.causes = report.missing_inputs;
    // A portable file has hashes in the place of secrets; the store can open its own.
    let is_secret = |value: &Recorded| matches!(value, Recorded::Hashed { .. });
    let trace = &loaded.trace;
    let asked = trace.request_headers.iter().map(|header| &header.value);
    if loaded.reader.is_none() && asked.chain([&trace.target, &trace.request_body.bytes]).any(is_secret) {
        let id = trace.id;
        trouble =
            trouble.hint(format!("the store that recorded it has its secrets: there, `zerver replay {id}`"));
    }
    Err(trouble)
}

/// The program: the one that is named, or that of the package, built.
fn program(
    app: Option<&PathBuf>,
    program: &Program,
    store: Option<&Path>,
    global: &Global,
) -> Result<PathBuf, Trouble> {
    if let Some(exe) = &program.exe {
        return Ok(exe.clone());
    }
    let app = app.cloned().or_else(|| app_of(store?));
    let package = Package::find(&app.unwrap_or_else(|| PathBuf::from(".")), program.bin.as_deref())?;
    cargo::build(&package, program.release, global)
}

/// The package that a store is in: `APP/.zerver`.
fn app_of(store: &Path) -> Option<PathBuf> {
    let store = store.canonicalize().ok()?;
    let app = store.parent()?;
    (store.file_name()? == ".zerver" && app.join("Cargo.toml").is_file()).then(|| app.to_owned())
}

/// The trace with its secrets, as far as the store's key opens them.
fn open(trace: zerver_trace::Trace, loaded: &Loaded, output: &mut Output) -> Recording {
    let secrets = match loaded.reader.as_ref().map(|reader| reader.secrets(&trace)) {
        Some(Ok(secrets)) => secrets,
        Some(Err(error)) => {
            let error = error.to_string();
            output.warn(&format!("its secrets stay sealed: {}", zerver_trace::text::clean(&error)));
            Default::default()
        }
        None => Default::default(),
    };
    Recording { trace, secrets: Secrets(secrets) }
}

/// What `zerver replay --json` prints. Its fields are stable; more may come.
#[derive(Serialize)]
struct Document<'a> {
    id: String,
    flow: &'a str,
    verdict: &'static str,
    coverage: Coverage,
    findings: &'a [Finding],
    edits: &'a [AppliedEdit],
    not_compared: &'a [String],
    notes: &'a [String],
    response: Option<Response<'a>>,
    edited_outcome: Option<&'a EditedOutcome>,
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
                body_bytes: response.body_bytes,
            }),
            edited_outcome: report.edited_outcome.as_ref(),
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
