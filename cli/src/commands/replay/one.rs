//! Replay of one request, with or without edits.

use std::path::Path;

use serde::Serialize;
use zerver_analysis::{RepeatedStatement, Timeline};
use zerver_replay::{AppliedEdit, Coverage, EditedOutcome, Edits, Fault, FaultKind, Finding, Report};
use zerver_trace::Trace;
use zerver_trace::text::clean;

use super::replayable::{announce, check_possible};
use super::{debugged, fault_trials, slot_editor};
use crate::args::{Global, Replay, TraceRef};
use crate::error::{CommandError, CommandOutcome};
use crate::locate::{self, LoadedTrace};
use crate::output::Output;
use crate::recording::open;
use crate::service::host::ReplayHost;
use crate::service::program::ServiceProgram;
use crate::view::replay::replay;

pub(super) fn run(
    id: &TraceRef,
    app: Option<&Path>,
    mut edits: Edits,
    args: &Replay,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let loaded = locate::load_trace(global, id)?;
    loaded.check_recorded("replay")?;
    if args.edit {
        edits.slots.extend(slot_editor::edit(&loaded.trace, output)?);
        if edits.is_empty() {
            output.info("nothing was changed, so there is nothing to replay");
            return Ok(CommandOutcome::Success);
        }
    }
    if args.batched {
        edits.faults.extend(batched(&loaded.trace)?);
    }
    let program = ServiceProgram::find(app, &args.program, loaded.reader.as_ref())?;
    let exe = program.build(args.program.release, global)?;
    let opened = open(loaded.trace.clone(), &loaded, output);
    if let Some(debugger) = &args.debugger {
        return debugged::run(&exe, debugger, opened, edits, &loaded, output);
    }
    if args.faults {
        return fault_trials::run(&exe, &opened, &edits, &loaded, output);
    }
    let mut host = ReplayHost::start(&exe)?;
    let replayed = host.replay(opened, edits, &mut |effect| announce(effect, output));
    let stderr = host.take_stderr();
    if output.is_verbose || replayed.is_err() {
        stderr.iter().for_each(|line| output.notice(&format!("the service printed: {line}")));
    }
    let report = check_possible(replayed?, &loaded)?;
    let (recorded_by, replayed_by) = (loaded.trace.build.as_str(), host.build());
    if output.is_json {
        output.json(&Document::new(&loaded, &report, recorded_by, replayed_by))?;
    } else {
        if recorded_by != replayed_by && !recorded_by.is_empty() && !replayed_by.is_empty() {
            output.info(&format!(
                "recorded by build {}, replayed by build {}",
                clean(recorded_by),
                clean(replayed_by)
            ));
        }
        output.print(&replay(&report, output.width(), output.is_verbose))?;
    }
    Ok(report.sameness().into())
}

/// Returns the latencies with which the repeated statements of a request are answered together.
fn batched(trace: &Trace) -> Result<Vec<Fault>, CommandError> {
    let repeated = Timeline::of(trace).repeated_statements();
    if repeated.is_empty() {
        return Err(CommandError::new("no step of this request repeats an SQL statement").with_cause(
            "it must run one at least five times, one after another, for 50 ms or a third of the request",
        ));
    }
    let latency =
        |(call, ns): (u32, u64)| Fault { effect: call.to_string(), kind: FaultKind::Latency { ns } };
    Ok(repeated.iter().flat_map(RepeatedStatement::batched).map(latency).collect())
}

/// Stable JSON form of a replay. Fields may be added.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'a str>,
}

#[derive(Serialize)]
struct Builds<'a> {
    recorded: &'a str,
    replayed: &'a str,
}

impl<'a> Document<'a> {
    fn new(loaded: &'a LoadedTrace, report: &'a Report, recorded: &'a str, replayed: &'a str) -> Self {
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
                stream: response.stream.as_deref(),
            }),
            edited_outcome: report.edited_outcome.as_ref(),
            build: Builds { recorded, replayed },
        }
    }
}
