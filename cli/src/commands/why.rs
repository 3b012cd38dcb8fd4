//! `zerver why`: where a request stands among others of its flow, and what goes with slowness there.

use zerver_replay::{Why, WhyJson};
use zerver_trace::{Query, Trace};

use crate::args::{self, Global};
use crate::error::{Done, Trouble};
use crate::locate::{self, Loaded};
use crate::output::Output;
use crate::view;
use crate::view::timeline::Look;

/// At most so many requests of the flow are compared, the newest.
const POPULATION: usize = 500;

pub(super) fn run(args: &args::Why, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let loaded = locate::load(global, &args.id)?;
    let others = others(&loaded, output)?;
    output.no_progress();
    let why = Why::of(&loaded.trace, &others);
    if output.is_json {
        output.json(&WhyJson::new(&loaded.trace, &why))?;
        return Ok(Done::Fine);
    }
    let look = Look {
        columns: output.width(),
        folds: output.is_terminal(),
        digits: loaded.digits(),
        is_verbose: output.is_verbose,
    };
    output.print(&view::why::why(&loaded.trace, &why, look))?;
    Ok(Done::Fine)
}

/// Other requests of its flow; those that cannot be read are left out. None for a trace from a file.
fn others(loaded: &Loaded, output: &mut Output) -> Result<Vec<Trace>, Trouble> {
    let Some(reader) = &loaded.reader else { return Ok(Vec::new()) };
    let flow = Some(loaded.trace.flow.name.clone());
    let query = Query { flow, limit: Some(POPULATION), ..Query::default() };
    let requests = reader.list(&query).map_err(|error| locate::unreadable(reader.dir(), &error))?;
    let mut others = Vec::with_capacity(requests.len());
    for (read, request) in requests.iter().enumerate() {
        if read % 64 == 63 {
            output.progress(&format!("reading {} of {} requests", read + 1, requests.len()));
        }
        others.extend(reader.load(request.id).ok().flatten());
    }
    Ok(others)
}
