//! `zerver replay --faults`: replays a request once for each fault that can be injected.

use std::path::Path;

use serde::Serialize;
use zerver_replay::{Edits, Recording, Report, Sameness, fault_trials};

use super::replayable::{announce, check_possible};
use crate::error::{CommandError, CommandOutcome};
use crate::locate::LoadedTrace;
use crate::output::Output;
use crate::service::fault_trial::FaultOutcome;
use crate::service::host::ReplayHost;
use crate::view;

/// Stable JSON form. Fields may be added.
#[derive(Serialize)]
struct Document<'a> {
    id: String,
    flow: &'a str,
    recorded: Recorded,
    faults: &'a [FaultOutcome],
}

#[derive(Serialize)]
struct Recorded {
    status: u16,
    outcome: &'static str,
    duration_ns: u64,
}

pub(super) fn run(
    exe: &Path,
    opened: &Recording,
    edits: &Edits,
    loaded: &LoadedTrace,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let trace = &opened.trace;
    let mut host = Some(ReplayHost::start(exe)?);
    let base = match &mut host {
        Some(host) => {
            let report =
                host.replay(opened.clone(), edits.clone(), &mut |effect| announce(effect, output))?;
            check_possible(report, loaded)?
        }
        None => Report::default(),
    };
    if base.sameness() == Sameness::Different && edits.is_empty() {
        output.warn("the replay differs even without a fault: run `zerver replay` without --faults");
    }
    let outcomes = try_faults(exe, &mut host, opened, edits, &mut |effect| announce(effect, output))?;
    if output.is_json {
        output.json(&Document {
            id: trace.id.to_string(),
            flow: &trace.flow.name,
            recorded: Recorded {
                status: trace.status,
                outcome: trace.outcome.as_str(),
                duration_ns: trace.duration_ns,
            },
            faults: &outcomes,
        })?;
    } else {
        let recorded = (trace.status, trace.duration_ns);
        output.print(&view::replay::fault_table::faults(recorded, &outcomes, output.columns()))?;
    }
    let has_finding = outcomes.iter().any(|outcome| outcome.finding.is_some());
    Ok(if has_finding { CommandOutcome::Finding } else { CommandOutcome::Success })
}

/// Replays a request with each fault in turn. A fault may kill the host; the next trial gets another one.
pub(super) fn try_faults(
    exe: &Path,
    host: &mut Option<ReplayHost>,
    opened: &Recording,
    edits: &Edits,
    announce: &mut dyn FnMut(&str),
) -> Result<Vec<FaultOutcome>, CommandError> {
    let trace = &opened.trace;
    let mut outcomes = Vec::new();
    for trial in fault_trials(trace) {
        let mut living = match host.take() {
            Some(living) => living,
            None => ReplayHost::start(exe)?,
        };
        let edits = Edits { faults: vec![trial.fault.clone()], ..edits.clone() };
        match living.replay(opened.clone(), edits, announce) {
            Ok(report) => {
                outcomes.push(FaultOutcome::from_report(trial, &report, trace.outcome.as_str()));
                *host = Some(living);
            }
            Err(error) => outcomes.push(FaultOutcome::from_error(trial, &error, living.is_alive())),
        }
    }
    Ok(outcomes)
}
