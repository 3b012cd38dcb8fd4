//! `zerver replay`: one request, run again by today's code; or many.

pub(crate) mod fault_trials;
mod many;
mod replayable;
mod slot_editor;

use serde::Serialize;
use zerver_recorder::Reader;
use zerver_replay::{Applied, Coverage, Edits, Ending, Finding, Report};

use self::replayable::{announce, open, possible};
use crate::args::{Global, Replay};
use crate::error::{Done, Trouble};
use crate::locate::{self, Loaded};
use crate::output::Output;
use crate::service::host::Host;
use crate::service::program::program;
use crate::view::replay::replay;

pub(super) fn run(args: &Replay, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let mut edits = edits(args);
    let Some(id) = &args.id else {
        if edits != Edits::default() || args.edit || args.faults {
            return Err(Trouble::new("an edit is for one request, and --all is for many")
                .hint("name one request instead of --all"));
        }
        return many::run(args.all.as_deref().unwrap_or_default(), args, global, output);
    };
    if args.filter != Default::default() || args.limit.0.is_some() || args.package.is_some() {
        return Err(Trouble::new("filters, --limit and --app are for many requests, and one is named")
            .hint("leave them out, or take --all instead of the name"));
    }
    let loaded = locate::load(global, id)?;
    if args.edit {
        edits.slots.extend(slot_editor::edit(&loaded.trace, output)?);
        if edits.is_empty() {
            output.note("nothing was changed, so nothing is run");
            return Ok(Done::Fine);
        }
    }
    let store = loaded.reader.as_ref().map(Reader::dir);
    let exe = program(args.app.as_ref(), &args.program, store, global)?;
    let opened = open(loaded.trace.clone(), &loaded, output);
    if args.faults {
        return fault_trials::run(&exe, &opened, &edits, &loaded, output);
    }
    let mut host = Host::start(&exe)?;
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
    ending: Option<&'a Ending>,
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
            ending: report.ending.as_ref(),
            build: Builds { recorded, replayed },
        }
    }
}
