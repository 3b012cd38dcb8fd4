//! `zerver trace`: where requests spent their time.

use serde::Serialize;
use zerver_analysis::{QueueHolders, Timeline, TimelineJson, Verdict};
use zerver_trace::text::clean;

use crate::args::{Global, Trace, TraceRef};
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::view::layout::field;
use crate::{locate, view};

/// Maximum number of requests for the median of the flow; the newest are used.
const POPULATION: usize = 1_000;

/// `{"traces": [...]}`, for several requests.
#[derive(Serialize)]
struct TracesJson {
    traces: Vec<TraceJson>,
}

#[derive(Serialize)]
struct TraceJson {
    #[serde(flatten)]
    timeline: TimelineJson,
    /// Node of a fleet that recorded the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
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
    for (at, LoadedTimeline { trace, timeline, queue, verdict, digits, node }) in traces.iter().enumerate() {
        let separator = if at == 0 { "" } else { "\n" };
        let layout = output.layout(*digits);
        let shown = view::timeline::timeline(trace, timeline, queue.as_ref(), verdict.as_ref(), layout);
        let node = field("node", &node.iter().map(|node| clean(node).into_owned()).collect::<Vec<_>>());
        output.print(&format!("{separator}{shown}{node}"))?;
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
    node: Option<String>,
}

impl LoadedTimeline {
    fn document(&self) -> TraceJson {
        let timeline = TimelineJson::new(&self.trace, &self.timeline, self.verdict.as_ref());
        TraceJson { timeline: timeline.with_queue(self.queue.clone()), node: self.node.clone() }
    }
}

/// Loads a trace and closes the store again: the next one may be in the same one.
fn load(id: &TraceRef, global: &Global) -> Result<LoadedTimeline, CommandError> {
    let loaded = locate::load_trace(global, id)?;
    let timeline = Timeline::of(&loaded.trace);
    let verdict = timeline.verdict(&loaded.population(POPULATION));
    let (digits, queue) = (loaded.digits(), loaded.queue_holders(&timeline));
    let node = loaded.node(global);
    Ok(LoadedTimeline { trace: loaded.trace, timeline, queue, verdict, digits, node })
}
