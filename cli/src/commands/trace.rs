//! `zerver trace`: where one request spent its time.

use zerver_analysis::{Timeline, TimelineJson};

use crate::args::{Global, Trace};
use crate::error::{CommandError, CommandOutcome};
use crate::locate;
use crate::output::Output;
use crate::view::timeline::timeline;

/// Maximum number of requests for the median of the flow; the newest are used.
const POPULATION: usize = 1_000;

pub(super) fn run(
    args: &Trace,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let loaded = locate::load_trace(global, &args.id)?;
    let of = Timeline::of(&loaded.trace);
    let verdict = of.verdict(&loaded.population(POPULATION));
    if output.is_json {
        output.json(&TimelineJson::new(&loaded.trace, &of, verdict.as_ref()))?;
        return Ok(CommandOutcome::Success);
    }
    let layout = output.layout(loaded.digits());
    output.print(&timeline(&loaded.trace, &of, verdict.as_ref(), layout))?;
    Ok(CommandOutcome::Success)
}
