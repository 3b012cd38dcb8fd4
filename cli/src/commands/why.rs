//! `zerver why`: the rank of a request among others of its flow, and the fields that correlate with latency; or how the
//! requests that a query selects differ from the rest.

use std::path::Path;

use std::ops::ControlFlow;

use zerver_analysis::{Timeline, Why, WhyJson};
use zerver_trace::{Query, Trace};

use super::compare_sets;
use crate::args::{self, Global, TraceRef};
use crate::error::{CommandError, CommandOutcome};
use crate::locate::{self, LoadedTrace};
use crate::output::Output;
use crate::view;

/// Maximum number of requests of the flow to compare with; the newest are used.
const POPULATION: usize = 500;
const TARGET_HINT: &str = "name a request, or give a query such as flow:report or 'took>10ms'";

pub(super) fn run(
    args: &args::Why,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let id = match target(&args.request) {
        Target::Request(id) => id,
        Target::Query(words) => {
            return compare_sets::run_against_rest(words, args.limit, global, output);
        }
        Target::Invalid(error) => return Err(CommandError::new(error).with_hint(TARGET_HINT)),
    };
    let loaded = locate::load_trace(global, &id)?;
    let others = others(&loaded, output)?;
    output.clear_progress();
    let why = Why::of(&loaded.trace, &others);
    let queue = loaded.queue_holders(&Timeline::of(&loaded.trace));
    if output.is_json {
        output.json(&WhyJson::new(&loaded.trace, &why).with_queue(queue))?;
        return Ok(CommandOutcome::Success);
    }
    let layout = output.layout(loaded.digits());
    output.print(&view::why::why(&loaded.trace, &why, queue.as_ref(), layout))?;
    Ok(CommandOutcome::Success)
}

/// Request or requests to explain.
enum Target<'w> {
    Request(TraceRef),
    Query(&'w [String]),
    /// A word that is neither, with the reason why it names no request.
    Invalid(String),
}

/// Distinguishes a name for a request from a query. A query of one word has an operator; a file may contain one, too.
fn target(words: &[String]) -> Target<'_> {
    let [word] = words else { return Target::Query(words) };
    let is_operator = |c: char| matches!(c, ':' | '~' | '=' | '<' | '>' | ' ');
    let names_request = word.starts_with('@') || Path::new(word).exists();
    if !names_request && word.contains(is_operator) {
        return Target::Query(words);
    }
    match word.parse() {
        Ok(id) => Target::Request(id),
        Err(error) => Target::Invalid(error),
    }
}

/// Loads other requests of the flow, except unreadable ones. There are none for a trace from a file.
fn others(loaded: &LoadedTrace, output: &mut Output) -> Result<Vec<Trace>, CommandError> {
    let Some(reader) = &loaded.reader else { return Ok(Vec::new()) };
    let flow = Some(loaded.trace.flow.name.clone());
    let query = Query { flow, limit: Some(POPULATION), ..Query::default() };
    let (mut others, mut read) = (Vec::new(), 0_usize);
    let visited = reader.visit(&query, |request| {
        read += 1;
        if read.is_multiple_of(64) {
            output.progress(&format!("reading requests: {read}"));
        }
        others.extend(request.load().ok());
        ControlFlow::Continue(())
    });
    visited.map_err(|error| locate::unreadable_store(&reader.place(), &error))?;
    Ok(others)
}
