//! `zerver explain`: the plan of the database for a recorded SQL call.

use serde::Serialize;
use zerver_analysis::{SqlCall, Timeline};
use zerver_replay::{CallExplanation, ExplainCall, UnexplainableCall};
use zerver_trace::text::clean;

use crate::args::{self, Global};
use crate::error::{CommandError, CommandOutcome};
use crate::locate::{self, LoadedTrace};
use crate::output::Output;
use crate::recording::open;
use crate::service::host::ReplayHost;
use crate::service::program::ServiceProgram;
use crate::view::explain::explain;

pub(super) fn run(
    args: &args::Explain,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let loaded = locate::load_trace(global, &args.id)?;
    loaded.check_recorded("explain a call of")?;
    let (call, selected) = Timeline::of(&loaded.trace).sql_call(args.call.as_deref()).map_err(|error| {
        CommandError::new(clean(&error.to_string()))
            .with_hint("`zerver trace <id>` shows the effects of a request")
    })?;
    if selected > 1 && args.call.is_some() {
        output.info(&format!("{selected} calls match, and call {} is the slowest of them", call.call));
    }
    let recording = open(loaded.trace.clone(), &loaded, output);
    // Before the service is built.
    ExplainCall::of(&recording, call.call, args.analyze)
        .map_err(|error| unexplainable(&error, &call, &loaded))?;
    let program = ServiceProgram::find(args.app.as_deref(), &args.program, loaded.reader.as_ref())?;
    let exe = program.build(args.program.release, global)?;
    let mut host = ReplayHost::start(&exe)?;
    let explanations = host.explain(recording, call.call, args.analyze);
    let stderr = host.take_stderr();
    if output.is_verbose || explanations.is_err() {
        stderr.iter().for_each(|line| output.notice(&format!("the service printed: {line}")));
    }
    let explanations = explanations?;
    if output.is_json {
        output.json(&Document::new(&loaded, &call, args.analyze, &explanations)?)?;
    } else {
        let layout = output.layout(loaded.digits());
        output.print(&explain(&loaded.trace, &call, &explanations, layout))?;
    }
    Ok(CommandOutcome::Success)
}

fn unexplainable(error: &UnexplainableCall, call: &SqlCall, loaded: &LoadedTrace) -> CommandError {
    let message = format!("cannot explain call {}, {}", call.call, clean(&call.summary));
    let failed = CommandError::new(message).with_cause(error.to_string());
    match error {
        UnexplainableCall::Secret if loaded.reader.is_none() => failed
            .with_hint("the store that recorded the request has the key: name the request there by its id"),
        UnexplainableCall::Secret => {
            failed.with_hint("the key of the store opens it: `zerver doctor` checks the key")
        }
        UnexplainableCall::NotRecorded(_) | UnexplainableCall::NoCall => failed,
    }
}

/// Stable JSON form. Fields may be added.
#[derive(Serialize)]
struct Document<'a> {
    id: String,
    call: u32,
    name: &'a str,
    recorded_ns: u64,
    analyzed: bool,
    statements: Vec<StatementJson<'a>>,
}

#[derive(Serialize)]
struct StatementJson<'a> {
    text: &'a str,
    /// The plan that the database returned.
    plan: serde_json::Value,
}

impl<'a> Document<'a> {
    fn new(
        loaded: &LoadedTrace,
        call: &'a SqlCall,
        analyzed: bool,
        explanations: &'a [CallExplanation],
    ) -> Result<Self, CommandError> {
        let statement = |explanation: &'a CallExplanation| {
            let plan = serde_json::from_str(&explanation.json).map_err(|error| {
                CommandError::new("the service sent a plan that is not JSON").caused_by(&error)
            });
            Ok(StatementJson { text: &explanation.subject, plan: plan? })
        };
        Ok(Self {
            id: loaded.trace.id.to_string(),
            call: call.call,
            name: &call.summary,
            recorded_ns: call.duration_ns,
            analyzed,
            statements: explanations.iter().map(statement).collect::<Result<_, CommandError>>()?,
        })
    }
}
