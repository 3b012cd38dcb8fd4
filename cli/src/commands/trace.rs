//! `zerver trace`: where requests spent their time.

use serde::Serialize;
use zerver_analysis::{QueueHolders, Timeline, TimelineJson, Verdict};

use crate::args::{Global, Trace, TraceRef};
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::{locate, view};

/// Maximum number of requests for the median of the flow; the newest are used.
const POPULATION: usize = 1_000;

/// `{"traces": [...]}`, for several requests.
#[derive(Serialize)]
struct TracesJson {
    traces: Vec<TimelineJson>,
}

pub(super) fn run(
    args: &Trace,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    // All are found before any is printed.
    let traces = args.ids.iter().map(|id| load(id, global)).collect::<Result<Vec<_>, _>>()?;
    if output.is_json {
        let mut documents: Vec<_> = traces.iter().map(LoadedTimeline::document).collect();
        match documents.pop() {
            Some(document) if documents.is_empty() => output.json(&document)?,
            last => {
                documents.extend(last);
                output.json(&TracesJson { traces: documents })?;
            }
        }
        return Ok(CommandOutcome::Success);
    }
    for (at, LoadedTimeline { trace, timeline, queue, verdict, digits }) in traces.iter().enumerate() {
        let separator = if at == 0 { "" } else { "\n" };
        let layout = output.layout(*digits);
        let shown = view::timeline::timeline(trace, timeline, queue.as_ref(), verdict.as_ref(), layout);
        output.print(&format!("{separator}{shown}"))?;
    }
    Ok(CommandOutcome::Success)
}

/// A trace with what is shown of it.
struct LoadedTimeline {
    trace: zerver_trace::Trace,
    timeline: Timeline,
    queue: Option<QueueHolders>,
    verdict: Option<Verdict>,
    digits: usize,
}

impl LoadedTimeline {
    fn document(&self) -> TimelineJson {
        TimelineJson::new(&self.trace, &self.timeline, self.verdict.as_ref()).with_queue(self.queue.clone())
    }
}

/// Loads a trace and closes the store again: the next one may be in the same one.
fn load(id: &TraceRef, global: &Global) -> Result<LoadedTimeline, CommandError> {
    let loaded = locate::load_trace(global, id)?;
    let timeline = Timeline::of(&loaded.trace);
    let verdict = timeline.verdict(&loaded.population(POPULATION));
    let (digits, queue) = (loaded.digits(), loaded.queue_holders(&timeline));
    Ok(LoadedTimeline { trace: loaded.trace, timeline, queue, verdict, digits })
}
