//! `zerver why`: the rank of a request among others of its flow, and the fields that correlate with latency.

use std::ops::ControlFlow;

use zerver_analysis::{Timeline, Why, WhyJson};
use zerver_trace::{Query, Trace};

use crate::args::{self, Global};
use crate::error::{CommandError, CommandOutcome};
use crate::locate::{self, LoadedTrace};
use crate::output::Output;
use crate::view;

/// Maximum number of requests of the flow to compare with; the newest are used.
const POPULATION: usize = 500;

pub(super) fn run(
    args: &args::Why,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let loaded = locate::load_trace(global, &args.id)?;
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
    visited.map_err(|error| locate::unreadable_store(reader.dir(), &error))?;
    Ok(others)
}
