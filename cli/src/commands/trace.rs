//! `zerver trace`: where the time of one request went.

use zerver_replay::{Timeline, TimelineJson};

use crate::args::{Global, Trace};
use crate::error::{Done, Trouble};
use crate::locate;
use crate::output::Output;
use crate::view::timeline::{Look, timeline};

/// The median is that of at most so many requests of the flow, the newest.
const POPULATION: usize = 1_000;

pub(super) fn run(args: &Trace, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let loaded = locate::load(global, &args.id)?;
    let of = Timeline::of(&loaded.trace);
    let verdict = of.verdict(&loaded.population(POPULATION));
    if output.is_json {
        output.json(&TimelineJson::new(&loaded.trace, &of, verdict.as_ref()))?;
        return Ok(Done::Fine);
    }
    let look = Look {
        columns: output.width(),
        folds: output.is_terminal(),
        digits: loaded.digits(),
        is_verbose: output.is_verbose,
    };
    output.print(&timeline(&loaded.trace, &of, verdict.as_ref(), look))?;
    Ok(Done::Fine)
}
