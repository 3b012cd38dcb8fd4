//! `zerver replay --faults`: the request again and again, each time with one thing that goes wrong.

use std::path::Path;

use serde::Serialize;
use zerver_replay::{Edits, FaultTrial, Recording, Report, Sameness, fault_trials};

use super::host::Host;
use super::{announce, possible};
use crate::output::Output;
use crate::place::Loaded;
use crate::trouble::{Done, Trouble};
use crate::view;

/// What became of the request when one thing went wrong. Its fields are stable; more may come.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) effect: String,
    pub(crate) call: u32,
    pub(crate) fault: &'static str,
    /// None where there was no answer.
    pub(crate) status: Option<u16>,
    /// The word of traces; `died` where the process did, `unanswered` where the run came to an effect that nothing
    /// answers, `refused` where it could not be run.
    pub(crate) outcome: String,
    /// What failed, in words; empty where nothing did.
    pub(crate) failure: String,
    /// The step at which it failed; empty where it did not.
    pub(crate) step: String,
    pub(crate) duration_ns: Option<u64>,
    pub(crate) panicked: bool,
    /// Why this is a finding; none where it is not.
    pub(crate) finding: Option<&'static str>,
}

#[derive(Serialize)]
struct Document<'a> {
    id: String,
    flow: &'a str,
    recorded: Recorded,
    faults: &'a [Row],
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
    loaded: &Loaded,
    output: &mut Output,
) -> Result<Done, Trouble> {
    let trace = &opened.trace;
    let mut host = Some(Host::start(exe)?);
    let base = match &mut host {
        Some(host) => possible(
            host.replay(opened.clone(), edits.clone(), &mut |effect| announce(effect, output))?,
            loaded,
        )?,
        None => Report::default(),
    };
    if base.sameness() == Sameness::Different && edits.is_empty() {
        output.warn(
            "nothing went wrong yet, and it is different already: see `zerver replay` without --faults",
        );
    }
    let mut rows = Vec::new();
    for trial in fault_trials(trace) {
        let mut living = match host.take() {
            Some(living) => living,
            None => Host::start(exe)?,
        };
        let edits = Edits { faults: vec![trial.fault.clone()], ..edits.clone() };
        match living.replay(opened.clone(), edits, &mut |effect| announce(effect, output)) {
            Ok(report) => {
                rows.push(Row::of(trial, &report, trace.outcome.as_str()));
                host = Some(living);
            }
            // It may have died of it; the next trial gets another.
            Err(trouble) => rows.push(Row::without(trial, &trouble, living.is_alive())),
        }
    }
    if output.is_json {
        output.json(&Document {
            id: trace.id.to_string(),
            flow: &trace.flow.name,
            recorded: Recorded {
                status: trace.status,
                outcome: trace.outcome.as_str(),
                duration_ns: trace.duration_ns,
            },
            faults: &rows,
        })?;
    } else {
        output.print(&view::faults::faults((trace.status, trace.duration_ns), &rows, output.columns()))?;
    }
    Ok(if rows.iter().any(|row| row.finding.is_some()) { Done::Finding } else { Done::Fine })
}

impl Row {
    fn new(trial: FaultTrial, outcome: &str) -> Self {
        Self {
            effect: trial.effect,
            call: trial.call,
            fault: trial.word,
            status: None,
            outcome: outcome.to_owned(),
            failure: String::new(),
            step: String::new(),
            duration_ns: None,
            panicked: false,
            finding: None,
        }
    }

    fn of(trial: FaultTrial, report: &Report, recorded: &str) -> Self {
        let Some(ending) = &report.edited_outcome else {
            let unanswered = report.coverage.effects_unanswered > 0;
            let why = report.notes.last().or(report.missing_inputs.first()).cloned();
            let outcome = if unanswered { "unanswered" } else { "refused" };
            return Self { failure: why.unwrap_or_default(), ..Self::new(trial, outcome) };
        };
        let finding = match (&*ending.outcome, &*ending.failure_kind, ending.call) {
            ("panicked", ..) => Some("a step panicked"),
            ("timed_out", "default_deadline", _) if recorded != "timed_out" => Some(
                "only the default deadline ended it: give the effect a time limit, or the flow a deadline",
            ),
            (_, "internal", None) => Some("a step took it for a bug of the service"),
            _ => None,
        };
        Self {
            status: report.response.as_ref().map(|response| response.status),
            failure: ending.failure.clone(),
            step: ending.step.clone(),
            duration_ns: Some(ending.duration_ns),
            panicked: ending.outcome == "panicked",
            finding,
            ..Self::new(trial, &ending.outcome)
        }
    }

    fn without(trial: FaultTrial, trouble: &Trouble, is_alive: bool) -> Self {
        let failure = trouble.line();
        match is_alive {
            true => Self { failure, ..Self::new(trial, "refused") },
            false => Self { failure, finding: Some("the service died of it"), ..Self::new(trial, "died") },
        }
    }
}
